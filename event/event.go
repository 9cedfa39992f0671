package event

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/internal/opaque"
	"github.com/kubescribe/kubescribe/internal/quote"
)

// Operation is what happened to an object, in the words of the watch and admission APIs of
// Kubernetes; or SeedSync: a listing is complete.
type Operation string

// The operations an Event can carry.
const (
	Create   Operation = "CREATE"
	Update   Operation = "UPDATE"
	Delete   Operation = "DELETE"
	SeedSync Operation = "SEED_SYNC"
)

// Precondition restricts when an event may write its file. CREATE and UPDATE cannot be told apart
// after a restart, so a rule that asks for only one of them is answered by what the folder holds.
type Precondition int8

// The preconditions, from the weakest to the strongest.
const (
	Always    Precondition = iota // write, whatever is there
	IfAbsent                      // write only where no file is: a rule with only CREATE
	IfPresent                     // write only where a file is: a rule with only UPDATE
)

// String returns the name of the precondition.
func (c Precondition) String() string {
	switch c {
	case Always:
		return "Always"
	case IfAbsent:
		return "IfAbsent"
	case IfPresent:
		return "IfPresent"
	default:
		return fmt.Sprintf("Precondition(%d)", int(c))
	}
}

// ID is the identity of an object, and of its file. It has no version and no kind, so that a new
// API version of a type moves no file.
type ID struct {
	Group     string // API group, "" for the core group
	Resource  string // plural resource name, "deployments"
	Namespace string // "" for cluster-scoped objects
	Name      string
}

// String returns the ID as resource[.group]/[namespace/]name, for logs, errors and commit messages.
// Characters that could be read as something else than a name, as a line break or "[skip ci]", are
// written as %XX.
func (id ID) String() string {
	s := quote.Name(id.Resource)
	if id.Group != "" {
		s += "." + quote.Name(id.Group)
	}
	if id.Namespace != "" {
		s += "/" + quote.Name(id.Namespace)
	}
	return s + "/" + quote.Name(id.Name)
}

// NamespacedName returns the namespace and the name, without the type.
func (id ID) NamespacedName() types.NamespacedName {
	return types.NamespacedName{Namespace: id.Namespace, Name: id.Name}
}

// Resource is an ID together with the version and the kind that it was read with.
type Resource struct {
	ID
	Version string
	Kind    string
}

// Author is the person or program that made a change, and the time, as far as they are known. The
// zero value means unknown.
type Author struct {
	Name  string
	Email string
	When  time.Time // zero: unknown, then the time when the change was observed stands in
}

// Same reports whether two changes have one author, whenever they made them.
func (a Author) Same(b Author) bool { return a.Name == b.Name && a.Email == b.Email }

// Event is one change for one destination. It is a value that is never changed once made. Events
// for several destinations may share their Content.
type Event struct {
	// Destination is always whole.
	Destination destination.Destination
	Operation   Operation
	// Resource is the object; zero for a SeedSync.
	Resource Resource
	// Content is canonical YAML; nil for a Delete and a SeedSync.
	Content *Content
	// Sensitive says that the file must hold Content encrypted; nil: it need not, unless the object
	// is a core v1 Secret. It is shared.
	Sensitive *Sensitive
	// Precondition is that of a Create or an Update.
	Precondition Precondition
	// Listed is set if a listing found the object, not a watch: live changes go first.
	Listed bool
	Author Author
	// Inventory is that of a SeedSync; nil otherwise.
	Inventory Inventory
	// Time is when the change was observed.
	Time time.Time
}

// ErrIncomplete is matched by the error of Validate: the event lacks or contradicts something
// without which it must not travel.
var ErrIncomplete = errors.New("event: incomplete event")

// DestinationRef names the destination.
func (e Event) DestinationRef() destination.Ref { return e.Destination.Ref }

// Branch returns the short name of the branch that the event is for.
func (e Event) Branch() string { return e.Destination.Branch }

// BaseFolder returns the folder that the event is for, "" for the root of the repository.
func (e Event) BaseFolder() string { return e.Destination.BaseFolder }

// Writes reports whether the event carries content to be written.
func (e Event) Writes() bool { return e.Operation == Create || e.Operation == Update }

// Validate returns an error that matches ErrIncomplete and names every missing or contradictory
// field, or nil.
func (e Event) Validate() error {
	var faults []error
	if err := e.Destination.Validate(); err != nil {
		const field = "Destination"
		faults = append(faults, fmt.Errorf("%s: %w", field, err))
	}
	return incomplete(&e, append(faults, e.changeFaults()...))
}

// ValidateChange is Validate without the Destination. It is for a queue that knows the destination
// already: it takes some nanoseconds where nothing is wrong.
func (e Event) ValidateChange() error { return incomplete(&e, e.changeFaults()) }

func incomplete(e *Event, faults []error) error {
	if len(faults) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s: %w", ErrIncomplete, *e, errors.Join(faults...))
}

// changeFaults returns what is wrong with all fields but the Destination.
func (e *Event) changeFaults() []error {
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf(format, args...))
	}
	switch e.Operation {
	case Create, Update, Delete:
		if e.Resource.Resource == "" {
			fault("Resource.Resource is empty")
		}
		if e.Resource.Name == "" {
			fault("Resource.Name is empty")
		}
		writes := e.Operation != Delete
		if writes && e.Content.Size() == 0 {
			fault("Content is empty")
		}
		if !writes && e.Content != nil {
			fault("Content of a %s is not nil", e.Operation)
		}
		if e.Inventory != nil {
			fault("Inventory of a %s is not nil", e.Operation)
		}
	case SeedSync:
		if e.Resource != (Resource{}) {
			fault("Resource of a %s is not zero", e.Operation)
		}
		if e.Content != nil {
			fault("Content of a %s is not nil", e.Operation)
		}
		if e.Inventory == nil {
			fault("Inventory is nil")
		}
	default:
		fault("Operation %q is none of CREATE, UPDATE, DELETE, SEED_SYNC", string(e.Operation))
	}
	if e.Precondition < Always || e.Precondition > IfPresent {
		fault("Precondition %d is none of Always (%d), IfAbsent (%d), IfPresent (%d)", e.Precondition, Always, IfAbsent, IfPresent)
	}
	return faults
}

// String names the event; it never shows the content.
func (e Event) String() string {
	if e.Operation == SeedSync {
		return fmt.Sprintf("%s for %s", e.Operation, e.Destination.Ref)
	}
	return fmt.Sprintf("%s %s for %s", e.Operation, e.Resource.ID, e.Destination.Ref)
}

// GoString is String, so that not even %#v shows the content.
func (e Event) GoString() string { return e.String() }

// MarshalLog implements logr.Marshaler; it never shows the content.
func (e Event) MarshalLog() any { return e.String() }

// Format implements fmt.Formatter with String, whatever the verb: none shows the content.
func (e Event) Format(f fmt.State, verb rune) { opaque.Format(f, verb, e.String()) }

// LogValue implements slog.LogValuer with String.
func (e Event) LogValue() slog.Value { return opaque.LogValue(e.String()) }

// MarshalJSON implements json.Marshaler with String, since loggers marshal what they are given.
func (e Event) MarshalJSON() ([]byte, error) { return opaque.MarshalJSON(e.String()) }
