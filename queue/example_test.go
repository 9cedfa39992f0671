package queue_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/queue"
)

func change(branch, name, content string) event.Event {
	return event.Event{
		Destination: destination.Destination{
			Ref:        destination.Ref{Namespace: "team-a", Name: branch},
			Repository: "https://git.example.com/team-a/config",
			Branch:     branch,
		},
		Operation: event.Update,
		Resource:  event.Resource{ID: event.ID{Resource: "configmaps", Namespace: "shop", Name: name}, Version: "v1", Kind: "ConfigMap"},
		Content:   event.NewContent([]byte(content)),
	}
}

func ExampleSharded() {
	ctx := context.Background()
	q := queue.NewSharded(&queue.Options{Window: queue.Window{Count: 2}})

	for _, e := range []event.Event{change("main", "a", "v1"), change("main", "a", "v2"), change("main", "b", "v1")} {
		if err := q.Add(ctx, e); err != nil {
			fmt.Println(err)
		}
	}
	batch, err := q.Next(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, e := range batch.Events {
		fmt.Printf("%s: %s\n", e, e.Content.Bytes())
	}
	fmt.Println(batch.Done(ctx), q.Stats().Lines)

	// Output:
	// UPDATE configmaps/shop/a for team-a/main: v2
	// UPDATE configmaps/shop/b for team-a/main: v1
	// <nil> 0
}

func ExampleRunner() {
	q := queue.NewSharded(nil)
	push := func(_ context.Context, b queue.Batch) error {
		if b.Events[0].Branch() == "dev" {
			return fmt.Errorf("credentials refused: %w", queue.ErrPermanent)
		}
		fmt.Println("pushed", b.Events)
		return nil
	}
	ctx, stop := context.WithCancel(context.Background())
	for _, e := range []event.Event{change("main", "a", "v1"), change("dev", "a", "v1")} {
		if err := q.Add(ctx, e); err != nil {
			fmt.Println(err)
		}
	}
	stop() // what was accepted is tried all the same
	err := queue.NewRunner(q, push, nil).Start(ctx)

	var remaining *queue.RemainingError
	if errors.As(err, &remaining) {
		fmt.Println("left", remaining.Lines)
	}

	// Output:
	// pushed [UPDATE configmaps/shop/a for team-a/main]
	// left map[team-a/dev:1]
}
