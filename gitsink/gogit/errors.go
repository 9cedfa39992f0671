package gogit

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/transport"
	githttp "github.com/go-git/go-git/v5/plumbing/transport/http"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
)

// The values of gitsink.Error.Op.
const (
	opFetch  = "fetch"
	opPlan   = "plan"
	opCommit = "commit"
	opPush   = "push"
)

// failure is the cause in a gitsink.Error: a text without credentials, and what it matches. It holds no error of go-git or
// net/http, whose own text could show a credential.
type failure struct {
	text    string
	matches []error
}

func (f *failure) Error() string   { return f.text }
func (f *failure) Unwrap() []error { return f.matches }

// fail makes the error of an operation. If the caller's ctx has ended, that is what it matches, beside the classes given;
// otherwise it matches these, or those that err belongs to.
func (r *remote) fail(ctx context.Context, op string, err error, words string, classes ...error) error {
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
		Op: op, Destination: r.dst, Server: r.redact(strings.ToValidUTF8(words, "?")), Err: &failure{r.redact(text), classes},
	}
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
	gitsink.ErrAuth, gitsink.ErrProtected, gitsink.ErrRejected, gitsink.ErrNotFound, gitsink.ErrPath, gitsink.ErrOwned,
	gitsink.ErrTooLarge, gitsink.ErrUnavailable, gitsink.ErrConflict, gitsink.ErrUnknown, destination.ErrInvalid,
}

// sentinels are go-git's errors, and what they mean.
var sentinels = []struct{ err, class error }{
	{transport.ErrAuthenticationRequired, gitsink.ErrAuth},
	{transport.ErrInvalidAuthMethod, gitsink.ErrAuth},
	{transport.ErrAuthorizationFailed, gitsink.ErrAuth},
	{transport.ErrRepositoryNotFound, gitsink.ErrNotFound},
}

// statuses are the answers of HTTP that trying again does not change. All others, 429 and 5xx foremost, may pass.
var statuses = map[int]error{
	http.StatusProxyAuthRequired:     gitsink.ErrAuth,
	http.StatusGone:                  gitsink.ErrNotFound,
	http.StatusRequestEntityTooLarge: gitsink.ErrTooLarge,
}

// phrase is what servers and libraries say only in words, in lower case.
type phrase struct {
	words string
	class error
}

// connecting are the words of a failure before a push is judged; the first that is found decides.
var connecting = []phrase{
	{"rate limit", gitsink.ErrUnavailable}, // GitHub answers 403
	{"too many requests", gitsink.ErrUnavailable},
	{"unable to authenticate", gitsink.ErrAuth},        // x/crypto/ssh
	{"knownhosts: key", gitsink.ErrAuth},               // x/crypto/ssh/knownhosts: mismatch, unknown, revoked
	{"certificate signed by unknown", gitsink.ErrAuth}, // crypto/x509
	{"permission denied", gitsink.ErrAuth},
	{"does not appear to be a git repository", gitsink.ErrNotFound},
	{"repository not found", gitsink.ErrNotFound},
}

// refusing are the words of servers that refuse a push; the first that is found decides.
var refusing = []phrase{
	{"gh001", gitsink.ErrTooLarge}, // GitHub: large files detected
	{"file size limit", gitsink.ErrTooLarge},
	{"exceeds maximum allowed size", gitsink.ErrTooLarge}, // receive.maxInputSize
	{"repository size limit", gitsink.ErrTooLarge},
	{"gh006", gitsink.ErrProtected}, // GitHub: protected branch update failed
	{"gh013", gitsink.ErrProtected}, // GitHub: repository rule violations
	{"protected branch", gitsink.ErrProtected},
	{"is protected", gitsink.ErrProtected},                       // Gitea
	{"tf402455", gitsink.ErrProtected},                           // Azure DevOps: must use a pull request
	{"only be modified through pull", gitsink.ErrProtected},      // Bitbucket Data Center
	{"permission denied to update branch", gitsink.ErrProtected}, // Bitbucket Cloud
	{"prohibited by gerrit", gitsink.ErrProtected},
	{"denied to ", gitsink.ErrAuth},                       // GitHub: permission to REPO denied to USER
	{"not allowed to push code to this", gitsink.ErrAuth}, // GitLab: to this project
	{"marked as read only", gitsink.ErrAuth},              // GitHub: a deploy key
	{"tf401027", gitsink.ErrAuth},                         // Azure DevOps: needs GenericContribute
}

func find(phrases []phrase, text string) error {
	text = strings.ToLower(text)
	for _, p := range phrases {
		if strings.Contains(text, p.words) {
			return p.class
		}
	}
	return nil
}

// classOfRefusal is the class of what a server says when it refuses a push. Never of use to tell a branch that has moved:
// every server has its own words for that.
func classOfRefusal(text string) error {
	if class := find(refusing, text); class != nil {
		return class
	}
	return gitsink.ErrRejected
}

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
	if len(classes) > 0 {
		return classes
	}
	return append(only(errIncomplete, []error{err}), classOfConnection(err))
}

func classOfConnection(err error) error {
	answer := httpAnswer(err)
	text := err.Error()
	if answer != nil {
		text += "\n" + answer.Reason
	}
	if class := find(connecting[:2], text); class != nil {
		return class
	}
	for _, s := range sentinels {
		if errors.Is(err, s.err) {
			return s.class
		}
	}
	if answer != nil {
		if class, ok := statuses[answer.StatusCode()]; ok {
			return class
		}
		return gitsink.ErrUnavailable
	}
	if class := find(connecting, text); class != nil {
		return class
	}
	return gitsink.ErrUnavailable
}

// surelyRefused reports whether the server cannot have taken a push that ended with err.
func surelyRefused(err error) bool {
	for _, s := range sentinels {
		if errors.Is(err, s.err) {
			return true
		}
	}
	answer := httpAnswer(err)
	return answer != nil && statuses[answer.StatusCode()] != nil
}

// httpAnswer finds the answer of HTTP that an error stands for; go-git's wrapping does not unwrap.
func httpAnswer(err error) *githttp.Err {
	var unexpected *plumbing.UnexpectedError
	if errors.As(err, &unexpected) {
		err = unexpected.Err
	}
	var answer *githttp.Err
	if errors.As(err, &answer) {
		return answer
	}
	return nil
}

// serverWords is the text that came with an answer of HTTP. Those of 401, 403 and 404 are in the error itself.
func serverWords(err error) string {
	if answer := httpAnswer(err); answer != nil {
		return answer.Reason[:min(len(answer.Reason), maxWords)]
	}
	return ""
}
