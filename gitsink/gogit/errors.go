package gogit

import (
	"compress/flate"
	"compress/gzip"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"net/textproto"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/object"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/smart"
	"github.com/kubescribe/kubescribe/internal/quote"
)

// The values of gitsink.Error.Op.
const (
	opFetch  = "fetch"
	opPlan   = "plan"
	opCommit = "commit"
	opPush   = "push"
)

// failure is the cause in a gitsink.Error: a text without credentials, and what it matches. It
// holds no error of go-git or net/http, whose own text could show a credential.
type failure struct {
	text    string
	matches []error
}

// Error returns the text, without credentials.
func (f *failure) Error() string { return f.text }

// Unwrap returns the sentinels that the failure matches.
func (f *failure) Unwrap() []error { return f.matches }

// fail makes the error of an operation. If the caller's ctx has ended, that is what it matches,
// beside the classes given; otherwise it matches these, or those that err belongs to.
func fail(ctx context.Context, d destination.Destination, secrets []string, op string, err error, words string, classes ...error) error {
	switch {
	case ctx.Err() != nil:
		classes = append([]error{ctx.Err()}, only(gitsink.ErrUnknown, classes)...)
	case len(classes) == 0:
		classes = classify(err)
	}
	text := strings.TrimSpace(err.Error())
	for _, class := range slices.Backward(classes) {
		if slices.Contains(own, class) && !strings.Contains(text, class.Error()) {
			text = fmt.Sprintf("%v: %s", class, text)
		}
	}
	if ctx.Err() != nil && !strings.Contains(text, ctx.Err().Error()) {
		text = fmt.Sprintf("%v: %s", ctx.Err(), text)
	}
	return &gitsink.Error{
		Op: op, Destination: d, Server: show(words, secrets), Err: &failure{show(text, secrets), classes},
		RetryAfter: restOf(err),
	}
}

// show returns a text for errors and logs. All that a server said, and all that a library made of
// it, goes through here: it may hold neither credentials, nor what a log or a terminal would take
// for more than text, nor be long. Credentials are masked when what stood between their
// characters is gone, and before the text is cut: half of one would not be found.
func show(text string, secrets []string) string {
	return quote.Words(redact(quote.Line(text), secrets))
}

func only(class error, classes []error) []error {
	for _, c := range classes {
		if errors.Is(c, class) {
			return []error{class}
		}
	}
	return nil
}

// own are errors that say themselves what they are.
var own = []error{
	gitsink.ErrAuth, gitsink.ErrPlainText, gitsink.ErrProtected, gitsink.ErrRejected, gitsink.ErrNotFound, gitsink.ErrPath, gitsink.ErrOwned,
	gitsink.ErrRefused, gitsink.ErrProtocol, gitsink.ErrUnsupported, gitsink.ErrTooLarge, gitsink.ErrUnavailable,
	gitsink.ErrConflict, gitsink.ErrUnknown, destination.ErrInvalid, destination.ErrLocalNotAllowed,
}

// statuses are the answers of HTTP after which a server has surely not taken a push, and what
// they mean. 5xx may pass, and so does what says when to come again.
var statuses = map[int]error{
	http.StatusUnauthorized:          gitsink.ErrAuth,
	http.StatusForbidden:             gitsink.ErrAuth,
	http.StatusNotFound:              gitsink.ErrNotFound,
	http.StatusGone:                  gitsink.ErrNotFound,
	http.StatusMovedPermanently:      gitsink.ErrNotFound,
	http.StatusFound:                 gitsink.ErrNotFound,
	http.StatusTemporaryRedirect:     gitsink.ErrNotFound,
	http.StatusPermanentRedirect:     gitsink.ErrNotFound,
	http.StatusProxyAuthRequired:     gitsink.ErrAuth,
	http.StatusRequestEntityTooLarge: gitsink.ErrTooLarge,
	http.StatusTooManyRequests:       gitsink.ErrUnavailable,
}

// passingStatuses are refusals that pass, of a request that the server may have taken.
var passingStatuses = []int{http.StatusRequestTimeout, http.StatusTooEarly}

// classify returns what an error matches. What nothing is known of may pass.
func classify(err error) []error {
	var user *authError
	if errors.As(err, &user) {
		return []error{user.err}
	}
	var classes []error
	for _, class := range own {
		if errors.Is(err, class) {
			classes = append(classes, class)
		}
	}
	switch {
	case len(classes) > 0:
		return classes
	case errors.Is(err, object.ErrIncomplete), errors.Is(err, object.ErrDamaged):
		return append(only(object.ErrIncomplete, []error{err}), gitsink.ErrProtocol)
	}
	return []error{classOfConnection(err)}
}

// classOfConnection is the class of a failure that is no report of a push. What arrived and is a
// refusal is never ErrUnavailable for want of a better word.
func classOfConnection(err error) error {
	text := err.Error() + "\n" + smart.Words(err)
	if status := smart.StatusOf(err); status != nil {
		return classOfStatus(status, text)
	}
	if class := find(libraryPhrases, err.Error()); class != nil {
		return class
	}
	if class := find(serverPhrases, text); class != nil {
		return class
	}
	switch {
	case errors.Is(err, smart.ErrRefused):
		return gitsink.ErrRefused
	case garbled(err):
		return gitsink.ErrProtocol
	}
	return gitsink.ErrUnavailable
}

// garbled reports whether what has come could not be read below Git's protocol. What else says so
// is in libraryPhrases.
func garbled(err error) bool {
	if _, ssh, failed := strings.Cut(err.Error(), "ssh: handshake failed: ssh: "); failed {
		return !strings.HasPrefix(ssh, "disconnect") // which is an answer
	}
	return errors.Is(err, gzip.ErrHeader) || errors.Is(err, gzip.ErrChecksum) || errors.As(err, new(flate.CorruptInputError)) ||
		errors.As(err, new(textproto.ProtocolError)) || errors.As(err, new(tls.AlertError)) || errors.Is(err, http.ErrLineTooLong)
}

// classOfStatus is what an answer of HTTP means. Hosts say 401 and 403 to much that is no matter
// of credentials, such as an archived repository, and so on with what has no class of its own.
func classOfStatus(e *smart.StatusError, text string) error {
	class := statuses[e.Status]
	said := find(serverPhrases, text)
	switch {
	case e.RetryAfter > 0, e.Status >= http.StatusInternalServerError, slices.Contains(passingStatuses, e.Status):
		return gitsink.ErrUnavailable
	case errors.Is(said, gitsink.ErrUnavailable):
		return said
	case said != nil && (class == nil || errors.Is(class, gitsink.ErrAuth)):
		return said
	case class != nil:
		return class
	case e.Status < http.StatusMultipleChoices:
		return gitsink.ErrProtocol
	}
	return gitsink.ErrRefused
}

// surelyRefused reports whether the server cannot have taken a push that ended with err.
func surelyRefused(err error) bool {
	status := smart.StatusOf(err)
	return status != nil && statuses[status.Status] != nil
}

// restError means that a server has asked to be left alone, and still wants to be.
type restError struct{ left time.Duration }

// Error implements error.
func (e *restError) Error() string {
	return fmt.Sprintf("the server wants no request for another %s", e.left.Round(time.Second))
}

// restOf is how long the server wants to be left alone after err; zero if it did not say.
func restOf(err error) time.Duration {
	var rest *restError
	if errors.As(err, &rest) {
		return rest.left
	}
	if status := smart.StatusOf(err); status != nil {
		return status.RetryAfter
	}
	return 0
}

// errNoAnswer means that a step took longer than it may.
var errNoAnswer = errors.New("no answer")

// userInfo is what stands between :// and @ in a URL, wherever one is quoted.
var userInfo = regexp.MustCompile(`://[^/\s@"']*@`)

// redact masks the secrets, and what a URL says before its host.
func redact(text string, secrets []string) string {
	for _, secret := range secrets {
		text = strings.ReplaceAll(text, secret, "***")
	}
	return userInfo.ReplaceAllString(text, "://***@")
}
