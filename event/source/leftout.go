package source

import (
	"cmp"
	"errors"
	"fmt"
	"hash/maphash"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/ruleset"
)

// Here is what the rules ask for and do not get: types that discovery does not know, collections
// that cannot be listed, objects that cannot be written. All of it is in the status, and the log
// says at its default level when it appears, changes and is over.

// discovered is what discovery said last that is wrong.
type discovered struct {
	err   error // what it could not tell
	rules map[destination.Ref][]*ruleset.TypeError
	// meant are the types that the rules may mean by these, and by others that may be in a group
	// that cannot be read.
	meant map[destination.Ref][]schema.GroupResource
	told  map[string]bool // of the rules, those that the log has named
	named string          // the groups that the log has named as unread
}

// unanswered takes note that discovery failed as a whole.
func (l *ledger) unanswered(err error) {
	if l.discovered.err == nil {
		l.note(0, "discovery failed: what the rules ask for of the cluster is not known", "reason", err.Error())
	}
	l.discovered.err = fmt.Errorf("source: discovery: %w", err)
	l.served = nil // what it said before may have changed
}

// answered takes note of what discovery could not tell, and of what rules name and do not get.
func (l *ledger) answered(err, missing error, unread map[string]bool) {
	d := &l.discovered
	var faults []error
	d.rules, d.meant = map[destination.Ref][]*ruleset.TypeError{}, map[destination.Ref][]schema.GroupResource{}
	told := map[string]bool{}
	for _, fault := range joined(missing) {
		var of *ruleset.TypeError
		if !errors.As(fault, &of) {
			faults = append(faults, fault)
			continue
		}
		d.meant[of.Destination] = append(d.meant[of.Destination], of.Meant...)
		if hidden(of, unread) {
			continue
		}
		d.rules[of.Destination] = append(d.rules[of.Destination], of)
		text := fault.Error()
		if told[text] = true; !d.told[text] {
			l.note(0, "a rule asks for what the cluster does not have", "destination", of.Destination, "reason", text)
		}
	}
	if len(d.told) > 0 && len(told) == 0 {
		l.note(0, "the cluster has all that the rules ask for")
	}
	d.told = told
	d.err = errors.Join(append([]error{err}, faults...)...)

	named := strings.Join(slices.Sorted(maps.Keys(unread)), ", ")
	if named != d.named && named != "" {
		l.note(0, "API groups cannot be read: what is known of them stays as it is", "groups", named, "reason", err.Error())
	}
	if named == "" && d.named != "" {
		l.note(0, "all API groups can be read again")
	}
	d.named = named
}

// mayBeMeant reports whether a rule of a target names something that is not there and may mean a
// collection by it. Its files are not taken to be uncovered then.
func (l *ledger) mayBeMeant(to *target, c event.Collection) bool {
	of := schema.GroupResource{Group: c.Group, Resource: c.Resource}
	return slices.Contains(l.discovered.meant[to.destination.Ref], of)
}

// hidden reports whether a type may be in a group that discovery could not read. Then nothing is
// known of it.
func hidden(t *ruleset.TypeError, unread map[string]bool) bool {
	return len(unread) > 0 && slices.ContainsFunc(t.Groups, func(group string) bool { return group == "*" || unread[group] })
}

// joined returns the errors that errors.Join has joined.
func joined(err error) []error {
	switch j, is := err.(interface{ Unwrap() []error }); {
	case err == nil:
		return nil
	case is:
		return j.Unwrap()
	default:
		return []error{err}
	}
}

// maxRefused bounds what is remembered of refused objects for each destination. Of others, only the
// number is known.
const maxRefused = 100

// refusals are the objects that cannot be written to a destination.
type refusals struct {
	first map[event.ID]error
	more  map[uint64]struct{} // hashes
}

var refusalSeed = maphash.MakeSeed()

func (r *refusals) count() int { return len(r.first) + len(r.more) }

// add reports whether there is room to remember why.
func (r *refusals) add(id event.ID, err error) bool {
	if _, known := r.first[id]; !known && len(r.first) >= maxRefused {
		if r.more == nil {
			r.more = map[uint64]struct{}{}
		}
		r.more[maphash.Comparable(refusalSeed, id)] = struct{}{}
		return false
	}
	r.remove(id)
	if r.first == nil {
		r.first = map[event.ID]error{}
	}
	r.first[id] = err
	return true
}

func (r *refusals) remove(id event.ID) {
	if r.count() > 0 {
		delete(r.first, id)
		delete(r.more, maphash.Comparable(refusalSeed, id))
	}
}

// list returns those of which is known why.
func (r *refusals) list() (list []Refused) {
	for id, err := range r.first {
		list = append(list, Refused{id, err})
	}
	slices.SortFunc(list, func(a, b Refused) int { return cmp.Compare(a.ID.String(), b.ID.String()) })
	return list
}

// leftOut is what the log says of a target.
type leftOut struct{ notListed, notFollowed, refused int }

// tell has the log say what is left out for a target, if that is not what it said last.
func (l *ledger) tell(to *target) {
	st := l.status(to)
	now := leftOut{len(st.Incomplete), len(st.NotFollowed), st.RefusedCount}
	switch {
	case now == to.told || to.gone:
		return
	case now == leftOut{}:
		l.note(0, "nothing is left out any more", "destination", to.destination.Ref)
	default:
		var first, reason string
		if unread := slices.Concat(st.Incomplete, st.NotFollowed); len(unread) > 0 {
			first, reason = unread[0].Collection.String(), unread[0].Err.Error()
		} else if len(st.Refused) > 0 { // else no more than their number is known
			first, reason = st.Refused[0].ID.String(), st.Refused[0].Err.Error()
		}
		l.note(0, "some of what the rules ask for is left out", "destination", to.destination.Ref,
			"collectionsNotListed", now.notListed, "collectionsNotFollowed", now.notFollowed, "objectsRefused", now.refused, "first", first, "reason", reason)
	}
	to.told = now
}

// tellAll is called now and then.
func (l *ledger) tellAll() {
	for _, to := range l.targets {
		l.tell(to)
	}
}
