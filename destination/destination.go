package destination

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"unicode"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/types"

	"github.com/kubescribe/kubescribe/internal/opaque"
)

// Ref names a GitDestination or a GitRepoConfig. Both namespaces of names are
// separate: a GitDestination and a GitRepoConfig may have the same Ref.
type Ref = types.NamespacedName

// Destination is where changes go: a folder on a branch of a repository. It is
// comparable, and so serves as a map key. The zero value is invalid. Resolve
// makes only valid ones; call Validate on one made by hand.
type Destination struct {
	// Ref is the GitDestination. The name is required; the namespace may be
	// empty for destinations that do not come from a cluster.
	Ref Ref

	// RepositoryRef is the GitRepoConfig whose credentials, cadence and signing
	// key apply. If it is zero, Ref stands in for it.
	RepositoryRef Ref

	// Repository is the URL that is dialled, spelled as it was configured. A
	// URL with a password in it is invalid. The package documentation lists the
	// forms that are accepted.
	Repository string

	// Branch is the short name of a branch, "main". A leading "refs/heads/" is
	// not cut off: it is part of the name, as it is for `git branch`.
	Branch string

	// BaseFolder is a clean slash path relative to the root of the repository,
	// "clusters/prod". Empty means the root itself.
	BaseFolder string
}

// Validate returns nil if changes can be sent to d. Otherwise it returns every
// fault, joined; each is an *Error that matches ErrInvalid.
func (d Destination) Validate() error {
	var urlErr error
	if !isPlainURL(d.Repository) {
		_, urlErr = canonicalURL(d.Repository)
	}
	refErr, branchErr, folderErr := validateRef(d.Ref), validateBranch(d.Branch), validateFolder(d.BaseFolder)
	var repositoryRefErr error
	if d.RepositoryRef != (Ref{}) {
		repositoryRefErr = validateRef(d.RepositoryRef)
	}
	if refErr == nil && repositoryRefErr == nil && urlErr == nil && branchErr == nil && folderErr == nil {
		return nil // a queue asks for each event of a new line: what follows costs as much again
	}
	return errors.Join(
		d.fault("Ref", d.Ref.String(), refErr),
		d.fault("RepositoryRef", d.RepositoryRef.String(), repositoryRefErr),
		d.fault("Repository", redactURL(d.Repository), urlErr),
		d.fault("Branch", d.Branch, branchErr),
		d.fault("BaseFolder", d.BaseFolder, folderErr),
	)
}

func (d Destination) fault(field, value string, err error) error {
	return fault(KindDestination, d.Ref, field, value, err)
}

// RemoteBranch returns the branch that d shares with all other destinations on it. A destination
// whose Repository is invalid has the zero RemoteBranch.
func (d Destination) RemoteBranch() RemoteBranch {
	repository, err := canonicalURL(d.Repository)
	if err != nil {
		return RemoteBranch{}
	}
	return RemoteBranch{Repository: repository, Branch: d.Branch}
}

// String returns d for people: its Ref and where it points to. It holds no
// credentials, even if d is invalid because of them.
func (d Destination) String() string {
	where := d.RemoteBranch()
	if where.Repository == "" {
		where = RemoteBranch{Repository: redactURL(d.Repository), Branch: d.Branch}
	}
	return fmt.Sprintf("%s (%s:%s)", d.Ref, where, d.BaseFolder)
}

// MarshalLog returns String. It keeps structured loggers (logr.Marshaler) from
// printing the fields, whose URL may hold a token in place of a user name.
func (d Destination) MarshalLog() any { return d.String() }

// Format implements fmt.Formatter with String, whatever the verb: none shows the URL as it is.
func (d Destination) Format(f fmt.State, verb rune) { opaque.Format(f, verb, d.String()) }

// LogValue implements slog.LogValuer with String.
func (d Destination) LogValue() slog.Value { return opaque.LogValue(d.String()) }

// MarshalJSON implements json.Marshaler with String, since loggers marshal what they are given.
func (d Destination) MarshalJSON() ([]byte, error) { return opaque.MarshalJSON(d.String()) }

// RemoteBranch is a branch of a repository, whoever writes it. It is comparable. Destinations with
// equal RemoteBranches surely write to the same branch. Unequal ones may still be one branch behind
// an alias, a redirect or another protocol: a RemoteBranch saves conflicts but prevents none.
type RemoteBranch struct {
	// Repository is the canonical URL of the repository. It names the
	// repository and is not meant to be dialled: suffix, user and port may
	// differ from those configured.
	Repository string

	// Branch is the short name of the branch.
	Branch string
}

// String returns the canonical URL and the branch, joined by "#". The URL holds
// no "#", so the text is as unique as the RemoteBranch.
func (l RemoteBranch) String() string { return l.Repository + "#" + l.Branch }

// validateRef accepts what has one reading as "namespace/name" on one line.
func validateRef(r Ref) error {
	if r.Name == "" {
		return invalid("the name is empty")
	}
	for _, s := range []string{r.Namespace, r.Name} {
		if !utf8.ValidString(s) || strings.ContainsFunc(s, notInRef) {
			return invalid(`namespace and name must be names as in Kubernetes, without "/", spaces and control characters`)
		}
	}
	return nil
}

func notInRef(r rune) bool { return r == '/' || unicode.IsSpace(r) || unicode.IsControl(r) }
