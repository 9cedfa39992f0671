package main

import (
	"io"
	"log/slog"
	"strings"

	"github.com/go-logr/logr"
)

// logger writes lines of text, or JSON objects. A destination has one name in all of them.
func (f *flags) logger(w io.Writer) logr.Logger {
	opts := &slog.HandlerOptions{Level: slog.LevelInfo, ReplaceAttr: readable}
	if f.verbose {
		opts.Level = slog.LevelInfo - 1 // V(1)
	}
	if f.logFormat == formatJSON {
		return logr.FromSlogHandler(slog.NewJSONHandler(w, opts))
	}
	return logr.FromSlogHandler(slog.NewTextHandler(w, opts))
}

// The values of --log.
const (
	formatText = "text"
	formatJSON = "json"
)

func readable(_ []string, a slog.Attr) slog.Attr {
	if level, ok := a.Value.Any().(slog.Level); ok && level < slog.LevelInfo {
		a.Value = slog.StringValue("DEBUG") // not INFO-1
	}
	if a.Key == "destination" { // some say where it is, too
		name, _, _ := strings.Cut(a.Value.String(), " (")
		a.Value = slog.StringValue(name)
	}
	return a
}
