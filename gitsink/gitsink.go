package gitsink

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"log/slog"
	"time"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/internal/opaque"
	"github.com/kubescribe/kubescribe/internal/quote"
)

// GitSink writes commits to branches. Its contract is the package comment.
type GitSink interface {
	// Apply checks the destination's branch out at its newest remote commit, runs plan on the files below its base
	// folder, commits what plan returns and pushes. nil means: the remote has it, or there was nothing to change. If the
	// branch moved meanwhile, plan is run again on the new tree: changes are never merged by lines. Calls, for one lane
	// too, may be concurrent. An error of plan is returned as it is, wrapped in an *Error.
	Apply(ctx context.Context, dst destination.Destination, plan Plan) (Result, error)
	// Close ends what the sink keeps open. Apply must not be called any more.
	Close() error
}

// Plan says what to commit on top of base; no commits means that nothing has to change. It has no side effects, since it
// is run any number of times: the last run counts. It must not call the sink, which may wait for it.
type Plan func(ctx context.Context, base Tree) ([]Commit, error)

// Tree is the content of the base folder at one commit. It is valid only while the plan runs.
type Tree interface {
	// Paths yields the files below prefix (a folder, "" for all) in byte order, with their paths relative to the base
	// folder. It does no I/O.
	Paths(prefix string) iter.Seq2[string, Entry]
	// Entry looks one path up; false if there is none. It does no I/O.
	Entry(path string) (Entry, bool)
	// Read returns the content of files, in one request for many. Absent paths are absent from the result.
	Read(ctx context.Context, paths ...string) (map[string][]byte, error)
}

// AncestorTree is a Tree that can also show what lies above the base folder. A sink's Tree need not: the .gitattributes there
// are not seen then.
type AncestorTree interface {
	Tree
	// ReadAbove returns the content of the files called name in the folders above the base folder, by the slash paths of
	// these folders from the root of the repository, which is "". It makes no request where there is no such file.
	ReadAbove(ctx context.Context, name string) (map[string][]byte, error)
}

// Entry is a file, symbolic link or submodule in a Tree.
type Entry struct {
	Mode Mode
	Hash string // the Git object name, hexadecimal
}

func (e Entry) isFile() bool { return e.Mode == ModeFile || e.Mode == ModeExecutable }

// Mode is the type of a tree entry, in Git's own numbers.
type Mode uint32

// The modes of entries that are not trees.
const (
	ModeFile       Mode = 0o100644
	ModeExecutable Mode = 0o100755
	ModeSymlink    Mode = 0o120000
	ModeSubmodule  Mode = 0o160000
)

// Commit is one commit of a Plan; each builds on the one before. A commit whose changes change nothing is left out.
type Commit struct {
	Changes           []Change
	Message           string
	Author, Committer Signature // a zero Author is the Committer, a zero Committer the sink's
}

// Change writes or removes one file. The changes of a commit are applied in order. Removing what is not there is no fault.
type Change struct {
	Path   string // slash path relative to the base folder; one that leaves it is ErrPath
	Data   []byte
	Remove bool
}

// String names the change; it never shows the content.
func (c Change) String() string {
	if c.Remove {
		return "remove " + quote.Path(c.Path)
	}
	return fmt.Sprintf("write %s (%d bytes)", quote.Path(c.Path), len(c.Data))
}

// MarshalLog implements logr.Marshaler with String.
func (c Change) MarshalLog() any { return c.String() }

// Format implements fmt.Formatter with String, whatever the verb: none shows the content.
func (c Change) Format(f fmt.State, verb rune) { opaque.Format(f, verb, c.String()) }

// LogValue implements slog.LogValuer with String.
func (c Change) LogValue() slog.Value { return opaque.LogValue(c.String()) }

// MarshalJSON implements json.Marshaler with String, since loggers marshal what they are given.
func (c Change) MarshalJSON() ([]byte, error) { return opaque.MarshalJSON(c.String()) }

// Signature is who and when, as in a commit's header.
type Signature struct {
	Name, Email string
	When        time.Time // zero: when the commit is made
}

// Result says what Apply did.
type Result struct {
	Commits  []string // the commits made, oldest first; empty if nothing had to change
	Tip      string   // the branch's tip that holds what the plan wanted; "" if the branch does not exist and nothing had to be written
	Attempts int      // how often the plan was run
	Foreign  bool     // somebody else changed this folder since the sink last saw it
}

// The classes of failure. Test with errors.Is.
var (
	// ErrAuth: other credentials, other rights or another known_hosts are needed.
	ErrAuth = errors.New("gitsink: the server refused the credentials")
	// ErrPlainText: the credentials would go over a network where everybody on the way can read them. Nothing was sent.
	ErrPlainText = errors.New("gitsink: credentials would be sent in plain text")
	// ErrProtected: the branch or the whole repository is not to be pushed to, whoever asks.
	ErrProtected = errors.New("gitsink: the branch is protected")
	// ErrRejected: the server refused a push, perhaps for what is in it.
	ErrRejected = errors.New("gitsink: the server refused the push")
	// ErrRefused: the server answered with a refusal whose words are not known. It is tried again, with backoff; it is not
	// ErrUnavailable, since waiting will hardly help.
	ErrRefused = errors.New("gitsink: the server refused, for a reason that is not known")
	// ErrProtocol: what came is no answer of Git's protocol. It is tried again, with backoff.
	ErrProtocol = errors.New("gitsink: the server's answer is not understood")
	// ErrUnsupported: the repository or the server needs what this sink cannot do, such as object-format sha256.
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

// Error is what Apply returns: an operation on a destination that failed. It matches the classes above, and
// queue.ErrPermanent where trying again cannot help until somebody acts.
type Error struct {
	Op          string // "fetch", "plan", "commit", "push"
	Destination destination.Destination
	Server      string // the server's own words, if it sent any; without credentials, as one line that can be shown
	Err         error
	RetryAfter  time.Duration // how long the server wants to be left alone; zero: it did not say
	Stray       bool          // it may be a stray one, since this destination was written before: not queue.ErrPermanent yet
}

// RetryDelay returns RetryAfter: it makes an Error a queue.RetryDelayer, so a queue does not try earlier.
func (e *Error) RetryDelay() time.Duration { return e.RetryAfter }

// maxErrorText is the length up to which an error repeats what a server said.
const maxErrorText = 4 << 10

// Error says what failed where, with as much of the server's words as keeps it within 4 KiB.
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
