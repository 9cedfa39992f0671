package gogit

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

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
		RetryAfter: restOf(err),
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

// statuses are the answers of HTTP after which a server has surely not taken a push, and what they mean. All others, 5xx
// foremost, may pass. One that says when to come again may pass, too.
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

// phrase is what servers and libraries say only in words, in lower case.
type phrase struct {
	words string
	class error
}

// limiting are the words of servers that want fewer requests, whatever else they say.
var limiting = []phrase{
	{"rate limit", gitsink.ErrUnavailable}, // GitHub answers 403
	{"too many requests", gitsink.ErrUnavailable},
	{"tf400733", gitsink.ErrUnavailable}, // Azure DevOps: exceeding usage of resource
}

// connecting are the words of a failure before a push is judged; the first that is found decides. Where they come from is in
// docs/server-words.md.
var connecting = []phrase{
	{"unable to authenticate", gitsink.ErrAuth},        // x/crypto/ssh
	{"known_hosts: ", gitsink.ErrAuth},                 // our own: mismatch, unknown, revoked
	{"certificate signed by unknown", gitsink.ErrAuth}, // crypto/x509
	{"tls: certificate required", gitsink.ErrAuth},     // crypto/tls: a client certificate is wanted
	{"tls: bad certificate", gitsink.ErrAuth},
	{"tls: unknown certificate", gitsink.ErrAuth},
	{"proxy authentication required", gitsink.ErrAuth},                       // net/http
	{"was archived", gitsink.ErrProtected},                                   // GitHub
	{"is archived", gitsink.ErrProtected},                                    // Gitea
	{"mirror repository", gitsink.ErrProtected},                              // Gitea: is read-only
	{"read-only gitlab instance", gitsink.ErrProtected},                      // GitLab
	{"temporarily read-only", gitsink.ErrUnavailable},                        // GitLab: the repository is being moved
	{"maintenance mode", gitsink.ErrUnavailable},                             // GitLab
	{"read-only mode", gitsink.ErrUnavailable},                               // Bitbucket Cloud: for some minutes
	{"size limit", gitsink.ErrTooLarge},                                      // GitLab: of the repository
	{"marked as read only", gitsink.ErrAuth},                                 // GitHub: a deploy key
	{"repository not granted", gitsink.ErrAuth},                              // GitHub: a token without write access
	{"enforced saml sso", gitsink.ErrAuth},                                   // GitHub
	{"ip allow list", gitsink.ErrAuth},                                       // GitHub
	{"does not have write access", gitsink.ErrAuth},                          // GitLab: a deploy key
	{"account has been blocked", gitsink.ErrAuth},                            // GitLab
	{"not allowed to upload code", gitsink.ErrAuth},                          // GitLab
	{"could not be found or you don't have permission", gitsink.ErrNotFound}, // GitLab
	{"tf401019", gitsink.ErrNotFound},                                        // Azure DevOps
	{"does not appear to be a git repository", gitsink.ErrNotFound},
	{"access denied or repository not exported", gitsink.ErrNotFound}, // git daemon
	{"no such repository", gitsink.ErrNotFound},                       // git daemon
	{"repository not found", gitsink.ErrNotFound},
	{"repository does not exist", gitsink.ErrNotFound}, // Bitbucket, Gitea
	{"cannot find repository", gitsink.ErrNotFound},    // Gitea
	{"no such command or repository", gitsink.ErrNotFound},
	{"denied to ", gitsink.ErrAuth},               // GitHub: permission to REPO denied to USER
	{"not allowed to push", gitsink.ErrAuth},      // GitLab
	{"is not authorized to", gitsink.ErrAuth},     // Gitea: to write to REPO
	{"repository access denied", gitsink.ErrAuth}, // Bitbucket
	{"permission denied", gitsink.ErrAuth},
}

// refusing are the words of servers that refuse a push; the first that is found decides. What may be about the content of
// one plan comes first: it must not count against the branch.
var refusing = []phrase{
	{"gh001", gitsink.ErrTooLarge}, // GitHub: large files detected
	{"file size limit", gitsink.ErrTooLarge},
	{"exceeds maximum allowed size", gitsink.ErrTooLarge}, // receive.maxInputSize
	{"blobs which exceed", gitsink.ErrTooLarge},           // GitLab
	{"size limit", gitsink.ErrTooLarge},                   // GitHub, GitLab, Bitbucket: of a repository
	{"tf402462", gitsink.ErrTooLarge},                     // Azure DevOps: the push
	{"quota exceeded", gitsink.ErrTooLarge},               // Forgejo
	{"push cannot contain secrets", gitsink.ErrRejected},  // GitHub, with GH013
	{"gh007", gitsink.ErrRejected},                        // GitHub: a private e-mail address
	{"gh008", gitsink.ErrRejected},                        // GitHub: unknown LFS objects
	{"refusing to allow", gitsink.ErrRejected},            // GitHub: a workflow, pushed with a token that may not
	{"codeowners", gitsink.ErrRejected},                   // GitLab: pushes to protected branches that contain changes to files
	{"from changing file", gitsink.ErrRejected},           // Gitea: branch is protected from changing file
	{"fsck error", gitsink.ErrRejected},                   // Git: receive.fsckObjects

	{"gh006", gitsink.ErrProtected}, // GitHub: protected branch update failed
	{"gh013", gitsink.ErrProtected}, // GitHub: repository rule violations
	{"protected branch", gitsink.ErrProtected},
	{"is protected", gitsink.ErrProtected},            // Gitea
	{"create a default branch", gitsink.ErrProtected}, // GitLab: an empty project, and only maintainers may
	{"was archived", gitsink.ErrProtected},
	{"tf402455", gitsink.ErrProtected},                           // Azure DevOps: must use a pull request
	{"only be modified through pull", gitsink.ErrProtected},      // Bitbucket Data Center
	{"permission denied to update branch", gitsink.ErrProtected}, // Bitbucket Cloud
	{"prohibited by gerrit", gitsink.ErrProtected},
	{"read-only gitlab instance", gitsink.ErrProtected},

	{"denied to ", gitsink.ErrAuth},                       // GitHub: permission to REPO denied to USER
	{"not allowed to push code to this", gitsink.ErrAuth}, // GitLab: to this project
	{"marked as read only", gitsink.ErrAuth},              // GitHub: a deploy key
	{"tf401027", gitsink.ErrAuth},                         // Azure DevOps: needs GenericContribute
	{"does not have write access", gitsink.ErrAuth},       // GitLab: a deploy key
	{"not allowed to upload code", gitsink.ErrAuth},       // GitLab
	{"is not authorized to", gitsink.ErrAuth},             // Gitea

	// The reference is locked by somebody who has not finished, or the server has troubles of its own.
	{"failed to update ref", gitsink.ErrUnavailable},
	{"cannot lock ref", gitsink.ErrUnavailable},
	{".lock': file exists", gitsink.ErrUnavailable},
	{"failed to lock", gitsink.ErrUnavailable},
	{"tf401028", gitsink.ErrUnavailable}, // Azure DevOps: updated by another client
	{"internal server error", gitsink.ErrUnavailable},
	{"commit_refs", gitsink.ErrUnavailable}, // GitHub: fatal error in commit_refs
	{"temporarily read-only", gitsink.ErrUnavailable},
	{"maintenance mode", gitsink.ErrUnavailable},         // GitLab
	{"read-only mode", gitsink.ErrUnavailable},           // Bitbucket Cloud: for some minutes
	{"push operation timed out", gitsink.ErrUnavailable}, // GitLab
	{"tf400733", gitsink.ErrUnavailable},                 // Azure DevOps: exceeding usage of resource
	{"no space left on device", gitsink.ErrUnavailable},
	{"died of signal", gitsink.ErrUnavailable},
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
	text := err.Error() + "\n" + serverWords(err)
	if class := find(limiting, text); class != nil {
		return class
	}
	if status := asStatus(err); status != nil {
		return status.class(text)
	}
	if class := find(connecting, text); class != nil {
		return class
	}
	return gitsink.ErrUnavailable
}

// class tells what an answer of HTTP means. Hosts say 401 and 403 to much that is no matter of credentials, such as an archived
// repository.
func (e *statusError) class(text string) error {
	class, ok := statuses[e.status]
	if !ok || e.after > 0 {
		return gitsink.ErrUnavailable
	}
	if said := find(connecting, text); said != nil && errors.Is(class, gitsink.ErrAuth) {
		return said
	}
	return class
}

// surelyRefused reports whether the server cannot have taken a push that ended with err.
func surelyRefused(err error) bool {
	status := asStatus(err)
	return status != nil && statuses[status.status] != nil
}

// restError means that a server has asked to be left alone, and still wants to be.
type restError struct{ left time.Duration }

func (e *restError) Error() string {
	return fmt.Sprintf("the server wants no request for another %s", e.left.Round(time.Second))
}

// restOf is how long the server wants to be left alone after err; zero if it did not say.
func restOf(err error) time.Duration {
	var rest *restError
	if errors.As(err, &rest) {
		return rest.left
	}
	if status := asStatus(err); status != nil {
		return status.after
	}
	return 0
}

// serverWords is what the server said beside a failure.
func serverWords(err error) string {
	var said *saidError
	if errors.As(err, &said) {
		return said.words
	}
	return ""
}
