package gitsink

import (
	"errors"
	"fmt"
	"time"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/internal/quote"
	"github.com/kubescribe/kubescribe/queue"
)

// The classes of failure. Test with errors.Is.
var (
	// ErrAuth: other credentials, other rights or another known_hosts are needed.
	ErrAuth = errors.New("gitsink: the server refused the credentials")
	// ErrNoCredentials: no server was asked, since what there is cannot be shown to one: a Secret
	// is missing, a key cannot be read. It matches ErrAuth, too.
	ErrNoCredentials error = noCredentials{}
	// ErrPlainText: the credentials would go over a network where everybody on the way can read
	// them. Nothing was sent.
	ErrPlainText = errors.New("gitsink: credentials would be sent in plain text")
	// ErrProtected: the branch or the whole repository is not to be pushed to, whoever asks.
	ErrProtected = errors.New("gitsink: the branch is protected")
	// ErrRejected: the server refused a push, perhaps for what is in it.
	ErrRejected = errors.New("gitsink: the server refused the push")
	// ErrRefused: the server answered with a refusal whose words are not known. It is tried again,
	// with backoff; it is not ErrUnavailable, since waiting will hardly help.
	ErrRefused = errors.New("gitsink: the server refused, for a reason that is not known")
	// ErrProtocol: what came is no answer of Git's protocol. It is tried again, with backoff.
	ErrProtocol = errors.New("gitsink: the server's answer is not understood")
	// ErrUnsupported: the repository or the server needs what this sink cannot do, such as an
	// object-format that is unknown here.
	ErrUnsupported = errors.New("gitsink: the repository is of a kind that is not supported")
	ErrNotFound    = errors.New("gitsink: repository not found")
	ErrPath        = errors.New("gitsink: path cannot be written")
	ErrOwned       = errors.New("gitsink: the folder belongs to another owner")
	ErrUnadopted   = errors.New("gitsink: the folder is not adopted")
	ErrTooLarge    = errors.New("gitsink: too large")
	// ErrUnavailable: no answer came, or one that says to come again.
	ErrUnavailable = errors.New("gitsink: the server cannot be reached")
	ErrConflict    = errors.New("gitsink: the branch kept moving")
	ErrUnknown     = errors.New("gitsink: the outcome of a push is unknown")
)

var (
	// permanent are the failures that stay until somebody acts: on the destination, its credentials
	// or the server.
	permanent = []error{
		ErrAuth, ErrPlainText, ErrProtected, ErrRejected, ErrUnsupported, ErrNotFound, ErrPath, ErrOwned, ErrTooLarge,
		destination.ErrInvalid, destination.ErrLocalNotAllowed,
	}
	// passing are the failures that may be over by the next try, whatever else the error matches.
	passing = []error{ErrUnavailable, ErrConflict, ErrUnknown}
)

// noCredentials is ErrNoCredentials.
type noCredentials struct{}

// Error implements error.
func (noCredentials) Error() string { return "gitsink: no usable credentials" }

// Is makes it an ErrAuth, so that whoever acts on that acts on both.
func (noCredentials) Is(target error) bool { return target == ErrAuth }

// Error is what Apply returns: an operation on a destination that failed. It matches the classes
// above, and queue.ErrPermanent where trying again cannot help until somebody acts.
type Error struct {
	Op          string // "fetch", "plan", "commit", "push"
	Destination destination.Destination
	Server      string // the server's own words, as one line that can be shown; without credentials
	Err         error
	RetryAfter  time.Duration // how long the server wants to be left alone; zero: it did not say
	Stray       bool          // it may pass, since this destination was written before
}

// RetryDelay returns RetryAfter: it makes an Error a queue.RetryDelayer, so a queue does not try
// earlier.
func (e *Error) RetryDelay() time.Duration { return e.RetryAfter }

// maxErrorText is the length up to which an error repeats what a server said.
const maxErrorText = 4 << 10

// Error names the operation, the destination and the cause, with as much of the server's words as
// keeps it within 4 KiB.
func (e *Error) Error() string {
	s := fmt.Sprintf("gitsink: %s %s: %v", e.Op, e.Destination, e.Err)
	const before, after = " (server: ", ")"
	if words := quote.Cut(quote.Words(e.Server), maxErrorText-len(s)-len(before)-len(after)); words != "" {
		s += before + words + after
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is makes an Error match queue.ErrPermanent if trying again cannot help: if its cause matches
// ErrAuth, ErrPlainText, ErrProtected, ErrRejected, ErrUnsupported, ErrNotFound, ErrPath, ErrOwned,
// ErrTooLarge, destination.ErrInvalid or destination.ErrLocalNotAllowed, and none of
// ErrUnavailable, ErrConflict and ErrUnknown. ErrRefused and ErrProtocol alone are neither: they
// are tried again with a backoff that grows, since nobody knows whether they pass. So is an Error
// that is Stray.
func (e *Error) Is(target error) bool {
	return target == queue.ErrPermanent && !e.Stray && matches(e.Err, permanent) && !matches(e.Err, passing)
}

func matches(err error, targets []error) bool {
	for _, target := range targets {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}
