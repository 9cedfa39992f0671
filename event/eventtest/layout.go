package eventtest

import (
	"fmt"
	"testing"

	"github.com/kubescribe/kubescribe/event"
)

// TestLayout checks that a layout keeps the contract of event.Layout. Each promise is a subtest. It
// takes a second or two.
func TestLayout(t *testing.T, layout event.Layout) {
	t.Helper()
	for _, c := range layoutChecks {
		t.Run(c.name, func(t *testing.T) {
			if err := c.against(layout); err != nil {
				t.Errorf("event.Layout says: %q\n%v", c.promise, err)
			}
		})
	}
}

// check is a check of the kit. The promise is quoted from the documentation.
type check struct {
	name, promise string
	run           func(layout event.Layout) error
}

// against runs the check. A layout that panics has broken its promise.
func (c check) against(layout event.Layout) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the layout panicked: %v", r)
		}
	}()
	return c.run(layout)
}
