package gitsink_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/go-logr/logr/funcr"
	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/queue"
)

func TestNobodyPrintsContentsOrUserInformation(t *testing.T) {
	t.Parallel()
	const secret = "s3cret-word"
	d := destination.Destination{Ref: destination.Ref{Namespace: "team", Name: "dest"}, Repository: "https://" + secret + ":" + secret + "@git.example/app.git", Branch: "main"}
	e := event.Event{Destination: d, Operation: event.Update, Content: event.NewContent([]byte(secret)),
		Resource: event.Resource{ID: event.ID{Resource: "secrets", Namespace: "shop", Name: "db"}, Version: "v1", Kind: "Secret"}}
	change := gitsink.Change{Path: "a", Data: []byte(secret)}
	commit := gitsink.Commit{Changes: []gitsink.Change{change}, Message: "m"}
	batch := queue.Batch{Key: "k", Events: []event.Event{e}}
	numbers := strings.Trim(fmt.Sprintf("%d", []byte(secret)), "[]")
	encoded, err := json.Marshal([]byte(secret))
	require.NoError(t, err)
	for _, value := range []any{
		d, &d, e, &e, change, &change, commit, &commit, batch, &batch,
		[]event.Event{e}, map[string]event.Event{"a": e}, struct{ E event.Event }{e}, []destination.Destination{d}, map[destination.Destination]int{d: 1},
		[]gitsink.Commit{commit}, struct{ B queue.Batch }{batch}, gitsink.Report{Status: gitsink.Status{Destination: d}}, &gitsink.Error{Op: "push", Destination: d, Err: gitsink.ErrAuth},
	} {
		var printed []string
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
			printed = append(printed, fmt.Sprintf(verb, value))
		}
		if text, err := json.Marshal(value); err == nil { // a map with such a key is none of JSON's
			printed = append(printed, string(text))
		}
		var log bytes.Buffer
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "value", value)
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "value", value)
		printed = append(printed, log.String())
		funcr.New(func(_, args string) { printed = append(printed, args) }, funcr.Options{}).Info("x", "value", value)
		funcr.NewJSON(func(text string) { printed = append(printed, text) }, funcr.Options{}).Info("x", "value", value)
		for _, text := range printed {
			for _, form := range []string{secret, fmt.Sprintf("%x", secret), fmt.Sprintf("%X", secret), numbers, strings.ReplaceAll(numbers, " ", ","), strings.Trim(string(encoded), `"`)} {
				require.NotContains(t, text, form, "%T", value)
			}
		}
	}
}
