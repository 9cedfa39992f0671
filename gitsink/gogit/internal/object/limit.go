package object

import (
	"errors"
	"strconv"

	"github.com/kubescribe/kubescribe/gitsink"
)

// ErrTooMuch means that a fetch is larger than it may be.
var ErrTooMuch = errors.New("the pack is larger than allowed")

// LimitError means that something from outside is larger than it may be, and says what and the
// bound. It matches gitsink.ErrTooLarge.
type LimitError struct{ Text string }

func (e *LimitError) Error() string   { return e.Text }
func (e *LimitError) Unwrap() []error { return []error{gitsink.ErrTooLarge, ErrTooMuch} }

const maxExcerpt = 200

// Quoted shows something from outside for an error, cut to a length that can be read.
func Quoted(s string) string {
	if len(s) > maxExcerpt {
		return strconv.QuoteToASCII(s[:maxExcerpt]) + "..."
	}
	return strconv.Quote(s)
}

func cut(s string) string { return s[:min(len(s), maxExcerpt)] }
