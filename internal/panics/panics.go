// Package panics makes errors of recovered panics, without what they hold.
package panics

import (
	"fmt"
	"runtime"
)

// Error returns what a recovered panic may tell: the words of an error of the Go runtime, and of
// any other value only its type. Code that panics may put into the value whatever it has in hand,
// the plain text of a Secret included, and the error goes into logs and into a status. The place is
// in the stack.
func Error(value any) error {
	if err, ok := value.(runtime.Error); ok {
		return fmt.Errorf("panic: %w", err)
	}
	return fmt.Errorf("panic with a value of the type %T, which is not shown; the stack names the place", value)
}
