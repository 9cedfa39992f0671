// Package opaque shows values that hold contents or credentials by a text that holds none, whoever
// prints them: fmt with every verb, log/slog with every handler, encoding/json.
//
// A String method alone does not do: %#v, %d and %x go past it, and so do slog's JSON handler and
// encoding/json.
package opaque

import (
	"encoding/json"
	"fmt"
	"log/slog"
)

// Format is for a type's fmt.Formatter: it writes shown, whatever the verb.
func Format(f fmt.State, verb rune, shown string) {
	if verb != 'q' {
		verb = 's'
	}
	_, _ = fmt.Fprintf(f, fmt.FormatString(f, verb), shown)
}

// LogValue is for a type's slog.LogValuer.
func LogValue(shown string) slog.Value { return slog.StringValue(shown) }

// MarshalJSON is for a type's json.Marshaler.
func MarshalJSON(shown string) ([]byte, error) { return json.Marshal(shown) }
