package event

import (
	"fmt"
	"iter"
	"slices"
)

// Live tells what lives in the cluster for one destination, over all its scopes. A SeedSync carries a Live and no copy of
// what lived: the question is asked when the plan runs. A copy would lose files once events around it are coalesced or
// retried (delete X, sync without X, create X: the file of X goes although X lives).
//
// An implementation must be safe for concurrent use.
type Live interface {
	// View calls f with one consistent view and returns f's error. The View is valid only during the call; f must not
	// block, since the source may hold a lock.
	View(f func(View) error) error
}

// View is one consistent reading of a Live.
type View interface {
	// Scopes returns what was listed completely and may be pruned for this destination.
	Scopes() []Scope
	// Resources yields what lives in one of the Scopes and is wanted by this destination.
	Resources(Scope) iter.Seq[Resource]
}

// CoverageView is a View that also knows what its destination's rules ask for. A View need not be one: then every file
// that could be ours counts as covered, and none is reported or pruned as uncovered.
type CoverageView interface {
	View
	// Uncovered tells whether it is certain that no rule of the destination covers a type in one namespace, or at cluster
	// scope (never All): no rule asks for it, or the server has the type no more. In doubt it is false: a rule that might
	// ask for it is faulty, the API group cannot be read, the rules have just changed.
	Uncovered(Scope) bool
}

// Scope is a part of the cluster that is listed, and swept, as one: the objects of a type in one namespace, or all objects
// of the type.
type Scope struct {
	Group     string
	Resource  string
	Namespace string // the one namespace; "" for cluster-scoped objects, or if All
	All       bool   // every namespace and cluster scope
}

// String returns the scope as resource[.group], and the namespace if it is one.
func (s Scope) String() string {
	name := s.Resource
	if s.Group != "" {
		name += "." + s.Group
	}
	if s.Namespace != "" {
		name += " in " + s.Namespace
	}
	return name
}

// Contains tells whether an object of this type and namespace lies in the scope.
func (s Scope) Contains(id ID) bool {
	return s.Covers(Scope{Group: id.Group, Resource: id.Resource, Namespace: id.Namespace})
}

// Covers tells whether everything in other lies in the scope.
func (s Scope) Covers(other Scope) bool {
	if s.Group != other.Group || s.Resource != other.Resource {
		return false
	}
	return s.All || (!other.All && s.Namespace == other.Namespace)
}

// Layout says in which file an object is kept. Implementations must be pure: the same Resource has the same Path for ever,
// since files written yesterday are recognised by it. Both methods may be called concurrently.
type Layout interface {
	// Name identifies the layout in the ownership file of a folder; a folder is only written with the layout that it
	// was begun with.
	Name() string
	// Path returns the slash path below the base folder. Two different IDs never have the same path, also on a file
	// system that ignores case; Version and Kind are not looked at.
	Path(Resource) string
	// Scope tells which type and namespace a path belongs to, were it one of ours. False means: this layout did not
	// write it, or cannot tell. Scope(Path(r)) is r's own scope with All false.
	Scope(path string) (Scope, bool)
}

// NewLive returns a Live for users with informers or clients of their own. list returns what lives in a scope and is wanted
// by the destination; it is called for every scope in each View, before anything is removed, and must be safe for
// concurrent use. As long as it cannot tell for certain (the informer has not synced, a request failed) it must return an
// error: View then returns that error, and no file is removed.
func NewLive(scopes []Scope, list func(Scope) ([]Resource, error)) Live {
	return &listedLive{scopes: slices.Clone(scopes), list: list}
}

type listedLive struct {
	scopes []Scope
	list   func(Scope) ([]Resource, error)
}

// View implements Live.
func (l *listedLive) View(f func(View) error) error {
	view := listedView{scopes: l.scopes, resources: make(map[Scope][]Resource, len(l.scopes))}
	for _, scope := range l.scopes {
		resources, err := l.list(scope)
		if err != nil {
			return fmt.Errorf("event: listing %s: %w", scope, err)
		}
		view.resources[scope] = resources
	}
	return f(view)
}

type listedView struct {
	scopes    []Scope
	resources map[Scope][]Resource
}

// Scopes implements View.
func (v listedView) Scopes() []Scope { return slices.Clone(v.scopes) }

// Resources implements View.
func (v listedView) Resources(s Scope) iter.Seq[Resource] { return slices.Values(v.resources[s]) }
