package destination

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"
)

// Repository is what a GitRepoConfig says about where changes may go.
type Repository struct {
	// Ref is the GitRepoConfig.
	Ref Ref

	// URL is the repository, in one of the forms that the package documentation
	// lists, without a password.
	URL string

	// AllowedBranches are globs, one of which must match the whole branch: "*"
	// and "?" match anything but "/", "**" matches anything, and "[a-z]" and
	// "\" are as in path.Match. Default: every branch is allowed.
	AllowedBranches []string

	// AllowedNamespaces are the other namespaces whose destinations may write
	// here, by name; "*" allows all. Default: only that of Ref.
	AllowedNamespaces []string
}

// Spec is what a GitDestination says. A Repository completes it to a
// Destination, whose fields of the same name have the same rules.
type Spec struct {
	// Ref is the GitDestination.
	Ref Ref

	// RepositoryRef is the Repository to write to. Both parts are needed: what
	// an empty namespace stands for is decided by whoever reads the manifests.
	RepositoryRef Ref

	// Branch is the short name of the branch.
	Branch string

	// BaseFolder is a folder of the repository. Default: its root.
	BaseFolder string

	// AllowedNamespaces are the other namespaces whose rules may write here, by
	// name; "*" allows all. Default: only that of Ref. Rules without a namespace
	// are the administrator's and need no permission.
	AllowedNamespaces []string

	// Created is the creationTimestamp of the GitDestination, which its author
	// cannot choose: of two whose base folders overlap the older keeps its folder.
	// Default: unknown, and both are refused.
	Created time.Time
}

// Resolve completes each spec by its repository and checks them all. The Set
// holds every valid destination. The error, nil if there is no other, is the
// join of one or more *Error for each destination and repository that has a
// fault, in the order of their kinds and Refs.
//
// A namespace is a tenant: a spec may refer to a repository of its own namespace, to another only
// if Repository.AllowedNamespaces allows it. A spec without a namespace is the administrator's and
// may refer to all. The errors that a tenant reads name nothing of another namespace but what the
// tenant wrote.
//
// A fault stays with its owner, with two exceptions. The fault of a repository is one of each
// destination that refers to it. And of destinations whose base folders overlap the younger is
// refused with ErrOverlap, or both if neither is known to be older (Spec.Created): chance must not
// decide to whom a folder belongs. A destination with another fault, or one that an older one has
// refused, refuses none. If several have one Ref, all of them are refused.
//
// A repository that is a path of this machine is refused with ErrLocalNotAllowed,
// whoever it belongs to; Policy.Resolve allows some.
func Resolve(repositories []Repository, specs []Spec) (Set, error) {
	return Policy{}.Resolve(repositories, specs)
}

// Resolve is the function Resolve for whom p allows more. Its error joins that of
// Validate.
func (p Policy) Resolve(repositories []Repository, specs []Spec) (Set, error) {
	r := resolver{
		repositories:   make(map[Ref]checkedRepository, len(repositories)),
		remoteBranches: make(map[RemoteBranch][]claimed),
		faults:         make(map[Ref]error),
		allowed:        make(map[Ref][]string),
	}
	named := count(repositories, func(r Repository) Ref { return r.Ref })
	for _, repository := range repositories {
		r.repositories[repository.Ref] = p.checkRepository(repository, named[repository.Ref])
	}
	named = count(specs, func(s Spec) Ref { return s.Ref })
	for _, spec := range specs {
		r.add(spec, named[spec.Ref])
	}
	for remoteBranch, destinations := range r.remoteBranches {
		r.refuseOverlaps(remoteBranch, destinations)
	}
	set := r.set()
	return set, errors.Join(p.Validate(), set.err())
}

type resolver struct {
	repositories   map[Ref]checkedRepository
	remoteBranches map[RemoteBranch][]claimed // without fault so far
	faults         map[Ref]error              // of destinations
	// AllowedNamespaces of the destinations without fault so far
	allowed map[Ref][]string
}

// add checks a spec, one of so many of its Ref, and puts the destination with the others of its
// remote branch if it has no fault of its own.
func (r *resolver) add(spec Spec, named int) {
	if named > 1 {
		r.faults[spec.Ref] = fault(KindDestination, spec.Ref, "Ref", spec.Ref.String(), errDuplicate(named))
		return
	}
	repository, repositoryErr := r.repository(spec)
	branchErr := validateBranch(spec.Branch)
	if branchErr == nil && repositoryErr == nil {
		branchErr = repository.allows(spec.Branch, spec.Ref.Namespace)
	}
	namespacesErr := checkNamespaces(KindDestination, spec.Ref, spec.AllowedNamespaces)
	d := Destination{spec.Ref, spec.RepositoryRef, repository.URL, spec.Branch, spec.BaseFolder}
	refErr, folderErr := validateRef(d.Ref), validateFolder(d.BaseFolder)
	if refErr != nil || repositoryErr != nil || branchErr != nil || folderErr != nil || namespacesErr != nil {
		r.faults[d.Ref] = errors.Join(
			d.fault("Ref", d.Ref.String(), refErr),
			d.fault("RepositoryRef", d.RepositoryRef.String(), repositoryErr),
			d.fault("Branch", d.Branch, branchErr),
			d.fault("BaseFolder", d.BaseFolder, folderErr),
			namespacesErr,
		)
		return
	}
	if len(spec.AllowedNamespaces) > 0 {
		r.allowed[d.Ref] = slices.Clone(spec.AllowedNamespaces)
	}
	remoteBranch := RemoteBranch{Repository: repository.canonical, Branch: d.Branch}
	r.remoteBranches[remoteBranch] = append(r.remoteBranches[remoteBranch], claimed{d, spec.Created})
}

// repository finds the repository of a spec. One of another namespace that does not allow this one
// is not told apart from one that is not there, and a fault of one that does is its owner's to
// read.
func (r *resolver) repository(spec Spec) (checkedRepository, error) {
	repository, ok := r.repositories[spec.RepositoryRef]
	foreign := spec.Ref.Namespace != "" && spec.Ref.Namespace != spec.RepositoryRef.Namespace
	switch {
	case foreign && !allowsNamespace(repository.AllowedNamespaces, spec.Ref.Namespace):
		return repository, fmt.Errorf("%w: a %s of another namespace can be used if it is there and its AllowedNamespaces have %q",
			ErrNamespaceNotAllowed, KindRepository, spec.Ref.Namespace)
	case !ok:
		return repository, fmt.Errorf("%w: no %s has this namespace and name", ErrUnknownRepository, KindRepository)
	case foreign && repository.err != nil:
		return repository, invalid("the %s has a fault: ask whoever owns it", KindRepository)
	}
	return repository, repository.err
}

// set collects what has no fault.
func (r *resolver) set() Set {
	n := 0
	for _, destinations := range r.remoteBranches {
		n += len(destinations)
	}
	s := Set{allowed: r.allowed, sorted: make([]Destination, 0, n), index: make(map[Ref]int, n), faults: r.faults, repositoryFaults: make(map[Ref]error)}
	for _, destinations := range r.remoteBranches {
		for _, d := range destinations {
			if r.faults[d.Ref] == nil {
				s.sorted = append(s.sorted, d.Destination)
			}
		}
	}
	slices.SortFunc(s.sorted, func(a, b Destination) int { return compareRefs(a.Ref, b.Ref) })
	for i, d := range s.sorted {
		s.index[d.Ref] = i
	}
	for ref, repository := range r.repositories {
		if repository.err != nil {
			s.repositoryFaults[ref] = repository.err
		}
	}
	return s
}

// checkedRepository is a Repository after its check. If err is nil, canonical and
// allowed are what its URL and AllowedBranches mean.
type checkedRepository struct {
	Repository
	canonical string
	allowed   []*regexp.Regexp
	err       error
}

// checkRepository checks a repository, one of so many of its Ref.
func (p Policy) checkRepository(given Repository, named int) checkedRepository {
	r := checkedRepository{Repository: given}
	if named > 1 {
		r.err = fault(KindRepository, r.Ref, "Ref", r.Ref.String(), errDuplicate(named))
		return r
	}
	var urlErr error
	if r.canonical, urlErr = canonicalURL(r.URL); urlErr == nil {
		urlErr = p.Permit(r.URL)
	}
	faults := []error{
		fault(KindRepository, r.Ref, "Ref", r.Ref.String(), validateRef(r.Ref)),
		fault(KindRepository, r.Ref, "URL", redactURL(r.URL), urlErr),
	}
	for _, glob := range r.AllowedBranches {
		expression, err := compileGlob(glob)
		r.allowed = append(r.allowed, expression)
		faults = append(faults, fault(KindRepository, r.Ref, "AllowedBranches", glob, err))
	}
	faults = append(faults, checkNamespaces(KindRepository, r.Ref, r.AllowedNamespaces))
	r.err = errors.Join(faults...)
	return r
}

// allows checks a branch for a destination of a namespace. What the repository allows is not for
// others to read.
func (r checkedRepository) allows(branch, namespace string) error {
	if len(r.allowed) == 0 || slices.ContainsFunc(r.allowed, func(g *regexp.Regexp) bool { return g.MatchString(branch) }) {
		return nil
	}
	if namespace != "" && namespace != r.Ref.Namespace {
		return fmt.Errorf("%w: ask whoever owns the %s which are", ErrBranchNotAllowed, KindRepository)
	}
	return fmt.Errorf("%w: %s %s allows %q", ErrBranchNotAllowed, KindRepository, r.Ref, r.AllowedBranches)
}

func errDuplicate(n int) error {
	return invalid("%d objects have this namespace and name: remove all but one", n)
}

// count returns the number of objects of each Ref.
func count[T any](objects []T, ref func(T) Ref) map[Ref]int {
	named := make(map[Ref]int, len(objects))
	for _, o := range objects {
		named[ref(o)]++
	}
	return named
}
