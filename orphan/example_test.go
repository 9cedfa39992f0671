package orphan_test

import (
	"errors"
	"fmt"
	"slices"

	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/orphan"
)

func ExampleFind() {
	files := []string{"README.md", "default/configmaps/db.yaml", "default/configmaps/web.yaml", "other/configmaps/db.yaml"}
	configMaps := event.Collection{Resource: "configmaps", Namespace: "default"}
	live := event.NewInventory([]event.Collection{configMaps}, func(event.Collection) ([]event.Resource, error) {
		return []event.Resource{{ID: event.ID{Resource: "configmaps", Namespace: "default", Name: "web"}}}, nil
	})
	err := live.View(func(view event.Snapshot) error {
		orphans, err := orphan.Find(slices.Values(files), event.DefaultLayout, view, nil, orphan.Approval{})
		if errors.Is(err, orphan.ErrTooMany) {
			fmt.Println("held:", err)
			return nil
		}
		fmt.Println(orphans)
		return err
	})
	fmt.Println(err)
	// Output:
	// [default/configmaps/db.yaml]
	// <nil>
}
