package source

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/ruleset"
)

// coverage is what can be said for certain of files that no stream feeds. It is a value of its own, and not read off the
// streams: those are stopped and started one after the other, and a moment without a stream must not look like a rule that
// was taken away.
type coverage struct {
	rules  *ruleset.RuleSet
	served map[servedKey]struct{} // nil: discovery has not answered under these rules
	failed map[string]bool        // groups that discovery could not read
}

type servedKey struct {
	group, resource string
	namespaced      bool
}

// discovered returns the coverage with what a discovery has told. lists holds no list of a failed group.
func (c *coverage) discovered(lists []*metav1.APIResourceList, failed map[string]bool) *coverage {
	found := &coverage{rules: c.rules, served: map[servedKey]struct{}{}, failed: failed}
	for _, list := range lists {
		gv, err := schema.ParseGroupVersion(list.GroupVersion)
		if err != nil {
			continue
		}
		for _, r := range list.APIResources {
			found.served[servedKey{gv.Group, r.Name, r.Namespaced}] = struct{}{}
		}
	}
	return found
}

// Uncovered implements event.Snapshot.
func (v liveView) Uncovered(s event.Collection) bool {
	c := v.ledger.coverage
	if c == nil || v.to.gone || v.ledger.changing.Load() {
		return false
	}
	valid, faulty := c.rules.Compiled().Covers(v.to.destination.Ref, s)
	switch {
	case faulty:
		return false
	case !valid:
		return true
	case c.served == nil || c.failed[s.Group]:
		return false
	}
	_, served := c.served[servedKey{s.Group, s.Resource, s.Namespace != ""}]
	return !served
}
