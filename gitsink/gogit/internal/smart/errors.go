package smart

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/kubescribe/kubescribe/gitsink"
)

// ErrRefused means that an answer has come, and it is no.
var ErrRefused = errors.New("the server refused")

// RemoteError is a failure that the server has put into words.
type RemoteError struct {
	Err   error
	Words string
}

func (e *RemoteError) Error() string { return e.Err.Error() }
func (e *RemoteError) Unwrap() error { return e.Err }

// Words is what the server said beside a failure.
func Words(err error) string {
	var said *RemoteError
	if errors.As(err, &said) {
		return said.Words
	}
	return ""
}

// StatusError is an answer of HTTP that is not 200.
type StatusError struct {
	Status     int
	RetryAfter time.Duration // how long the server wants to be left alone; zero: it did not say
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("HTTP status %d %s", e.Status, http.StatusText(e.Status))
}

// StatusOf finds the answer of HTTP in an error.
func StatusOf(err error) *StatusError {
	var status *StatusError
	errors.As(err, &status)
	return status
}

// invalidAuth says that credentials cannot be used at all. It does not wrap err, which could show
// what it could not parse.
func invalidAuth(why string) error { return fmt.Errorf("%w: %s", gitsink.ErrNoCredentials, why) }

// Malformed is for an answer that is not the protocol's. It quotes a little of it at most.
func Malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", gitsink.ErrProtocol, fmt.Sprintf(format, args...))
}

// maxWords bounds what a server says beside the protocol, in bytes, before that is cleaned and cut.
const maxWords = 16 << 10

// wordBuffer keeps the beginning of what is written to it.
type wordBuffer struct{ bytes.Buffer }

func (b *wordBuffer) Write(p []byte) (int, error) {
	b.Buffer.Write(p[:min(len(p), max(maxWords-b.Len(), 0))])
	return len(p), nil
}
