package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
)

// commands are what the program measures, each in a file of its own name. A command reads its own
// flags from args, writes its result to stdout and its progress to stderr.
var commands = map[string]func(ctx context.Context, args []string, stdout, stderr io.Writer) error{
	"branch": branchCommand,
	"events": eventsCommand,
	"hung":   hungCommand,
	"push":   pushCommand,
	"queue":  queueCommand,
	"scope":  scopeCommand,
	"watch":  watchCommand,
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := child(ctx)
	if errors.Is(err, errNoChild) {
		err = run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	}
	stop()
	switch {
	case errors.Is(err, flag.ErrHelp):
		os.Exit(2)
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run does what the arguments say: the first names the command, and "all" stands for each in turn.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	names := slices.Sorted(maps.Keys(commands))
	if len(args) == 0 {
		return fmt.Errorf("which command? There are: %s, all", strings.Join(names, ", "))
	}
	if args[0] != "all" {
		if commands[args[0]] == nil {
			return fmt.Errorf("command %q: there are only: %s, all", args[0], strings.Join(names, ", "))
		}
		names = args[:1]
	}
	for _, name := range names {
		if err := commands[name](ctx, args[1:], stdout, stderr); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}
