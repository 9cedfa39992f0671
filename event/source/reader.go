package source

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/internal/compiled"
	"github.com/kubescribe/kubescribe/internal/quote"
	"github.com/kubescribe/kubescribe/ruleset"
)

// reader does all the work on an object that needs no lock: it is matched, sanitised and encoded
// once for all destinations.
type reader struct {
	opts  *Options
	match atomic.Pointer[matcher]
}

// matcher is what objects are matched by. It is replaced, never changed, while the Watcher's lock
// is held. Objects of which the old and the new one say different things (compiled.Rules.Diff) are
// matched again: all by a reflector that starts after that, those of single namespaces by one that
// goes on. Until then their namespaces are stale.
type matcher struct {
	rules      *ruleset.RuleSet
	namespaces *namespaces // nil if no rule looks at the labels of namespaces
	quiet      *quiet      // objects of which the last update changed nothing, by these rules
	looks      sync.Map    // schema.GroupResource -> compiled.Looks
}

func newMatcher(rs *ruleset.RuleSet, n *namespaces) *matcher {
	return &matcher{rules: rs, namespaces: n, quiet: newQuiet()}
}

// looksAt returns what rules look at in objects of a type. It remembers, since it is asked for each
// object.
func (m *matcher) looksAt(t ruleset.Type) compiled.Looks {
	key := groupResource(t)
	known, ok := m.looks.Load(key)
	if !ok {
		known, _ = m.looks.LoadOrStore(key, m.rules.Compiled().LooksAt(t.Group, t.Resource))
	}
	return known.(compiled.Looks)
}

// read returns an object as the ledger takes it.
func (r *reader) read(ctx context.Context, t ruleset.Type, obj *object, how arrival) change {
	c := change{
		resource:  resourceOf(t, obj.name),
		operation: event.Update,
		listed:    how == listed,
		encrypts:  r.opts.Encryptor != nil,
	}
	if how == added {
		c.operation = event.Create
	}
	by := r.match.Load()
	c.by = by
	input := r.input(ctx, by, t, obj, how)
	if c.matches = r.matches(by, input); len(c.matches) == 0 {
		return c
	}
	c.standing = c.matches
	if len(input.Managers) > 0 && slices.ContainsFunc(c.matches, func(m ruleset.Match) bool { return !m.Writes }) {
		input.Managers = nil
		c.standing = r.matches(by, input)
	}
	if how != listed {
		c.author = r.author(ctx, obj, c.operation)
	}
	if c.refused = mismatch(t, obj); c.refused == nil {
		c.draw(obj, by, how)
	}
	return c
}

// input returns an object as rules see it. What no rule looks at is not decoded.
func (r *reader) input(ctx context.Context, by *matcher, t ruleset.Type, obj *object, how arrival) ruleset.Input {
	input := ruleset.Input{
		Resource:        resourceOf(t, obj.name),
		NamespaceLabels: by.namespaces.labels(ctx, obj.name.Namespace),
		Controlled:      obj.controlled(),
	}
	looks := by.looksAt(t)
	if looks.Labels {
		input.Labels = obj.labels()
	}
	if looks.Whole {
		input.Object = obj.unstructured().Object
	}
	if looks.Managers && how != listed { // a listing cannot tell who made which change
		input.Managers = obj.lastManagers()
	}
	return input
}

// matches returns the destinations that want an object. What Options.Sensitive say holds for all of
// them.
func (r *reader) matches(by *matcher, input ruleset.Input) []ruleset.Match {
	matches := by.rules.Match(input)
	if everywhere := event.SensitiveBy(r.opts.Sensitive, input.Resource.Group, input.Resource.Resource); everywhere != nil {
		for i := range matches {
			matches[i].Sensitive = everywhere.Union(matches[i].Sensitive)
		}
	}
	return matches
}

// author returns who made a change; of a delete that nobody saw, obj is nil.
func (r *reader) author(ctx context.Context, obj *object, op event.Operation) event.Author {
	if r.opts.Attribute == nil {
		return event.Author{}
	}
	var whole *unstructured.Unstructured
	if obj != nil {
		whole = obj.unstructured()
	}
	return r.opts.Attribute(ctx, whole, op)
}

// ErrMismatch is matched by the error for an object that is of another kind or version than the
// type that the server was asked for. An aggregated API server may show a Secret as something else:
// what it is called decides whether it is encrypted, so it is refused.
var ErrMismatch = errors.New("source: the object is not of the type that was asked for")

func mismatch(t ruleset.Type, obj *object) error {
	want := schema.GroupVersionKind{Group: t.Group, Version: t.Version, Kind: t.Kind}
	if got := obj.kind(); got != want {
		return fmt.Errorf("%w: it says %s, the type is %s", ErrMismatch, quote.Name(got.Kind+"."+got.GroupVersion().String()), want.Kind+"."+want.GroupVersion().String())
	}
	return nil
}
