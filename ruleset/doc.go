// Package ruleset says which changes go where.
//
// Compile checks the rules once, against the destinations that exist, and makes an immutable
// RuleSet. Match answers which destinations want an object; Watches answers what has to be listed
// and watched for that, and how far each destination is covered by it; Explain says for people what
// Match does. Nothing here talks to a cluster.
//
//   - A rule with any fault is left out as a whole, and Compile and Err name every fault of it. The
//     other rules work.
//   - Match returns each destination once, however many rules send the object there, in an order
//     that does not depend on the order of the rules.
//   - The cost of Match depends on the rules that name the object's own type (or all types), in the
//     object's own namespace or in none. It takes no lock, and allocates nothing when nothing
//     matches.
//   - A rule with a Namespace in its Name sees the objects of that namespace only, and never
//     cluster-scoped ones. It reaches destinations of that namespace, others only if they allow it;
//     one that may not has no say there, not even as a fault.
//
// # Differences from admission
//
// A ResourceRule means what it means as a rule of an admission webhook
// (https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/),
// except that
//
//	                           admission                        here
//	empty list                 refused by the API               everything, as "*"; apiGroups [""] is the core group only
//	"*" beside other values    refused by the API               everything
//	subresources, "pods/*"     requests to subresources         a fault: they are never mirrored
//	CONNECT                    an operation                     a fault: it changes nothing
//	"apps*"                    never matches                    a fault
//	rules in a namespace       do not exist                     see their own namespace only
//	matchPolicy                Equivalent by default            Exact: compared is the one version that is read
//	a Namespace object         lies in itself                   lies in no namespace; it is cluster-scoped in both
//	namespaces of other groups are taken for Namespaces         are objects like any other for a namespaceSelector
//	namespaceSelector          of all webhooks                  of cluster rules only; a fault with a namespace
//	objectSelector             old or new object                new object; one that is selected no more is a delete
//	exclusions                 resourceNames, of policies only  also globs, as in path.Match; they win
//	matchConditions            object, oldObject, request       package ruleset/cel: object, part of request
//	failurePolicy              Fail or Ignore                   neither: what cannot be evaluated keeps its file as it is
//
// As there, a namespaceSelector does not restrict cluster-scoped objects, except that a Namespace
// is matched by its own labels. "*" includes all that can be listed and watched, Events, Leases and
// EndpointSlices among them, and types that are served by two groups (events, events.k8s.io) twice:
// use Exclude, or the ready-made exclusions of Skip.
//
// docs/rules.md has this table, too, and those of joined operations, ready-made exclusions and
// Explain's reasons.
//
// # Operations
//
// CREATE and UPDATE cannot be told apart after a restart. So a rule with only CREATE writes a file
// where none is (event.IfAbsent), one with only UPDATE where one is (event.IfPresent), and rules of
// one destination that together ask for both write always. A rule with only DELETE never writes.
//
// # Several rules for one destination
//
// What an object's rules ask for is joined: it is written if one of them asks for a write, with the
// weakest condition, and its delete is told if one asks for it. An exclusion, a selector,
// SkipControlled, a Condition and IgnoreManagers speak for their own rule only. Pruning is the
// other way round: each rule that covers a scope can forbid it (below).
//
// A Condition that cannot be evaluated for an object keeps its file as it is, unless another rule
// writes it.
//
// IgnoreManagers keeps a change from being written if these managers alone have made it. The object
// still matches: it lives, and its file is no orphan. Deletes are not affected.
//
// # Versions
//
// A file stands for an object of a group and resource, so each is read in one version: the one that
// the server prefers if some rule allows it, else the next that some rule allows. A rule that
// allows only another version gets nothing of the type and is named by Watches (ErrOtherVersion).
// The number of rules does not count: a rule in one namespace must not rewrite the files of
// everybody else in its version.
//
// # Coverage
//
// A destination's coverage of a type is what its rules say by type and namespace. Selectors, a
// Condition, SkipControlled and exclusions with Names filter objects and do not narrow it: within
// the coverage, a file whose object no rule selects is an orphan. An exclusion without Names that
// leaves no operation does narrow it: the type is not watched for that rule, and its files are left
// as they are, as if the rule had never named it.
//
// A scope may be pruned only if each rule of the destination that covers any of it
//
//   - is valid. A rule with a fault forbids pruning of what it covers, as widely as it can be read:
//     a faulty group, version, resource or scope is read as all of them. A rule whose destination
//     is unknown belongs to none.
//   - asks for DELETE there, of all names that it wants at all.
//   - gets what it asks for in the version that is read. If its version is not, files that it has
//     written stand where those of the version that is read do, and must not be taken for orphans.
//
// A cluster rule covers all namespaces as one scope, and a scope has no holes: if a rule of the
// same destination in one namespace forbids pruning, nothing of the type is pruned in that
// destination. Give that rule a destination of its own.
//
// Rules for single namespaces become one watch each. As soon as a cluster rule of any destination
// covers the type, one watch of all namespaces replaces them.
//
// # Errors
//
// Compile and Err return *RuleError, Watches returns *TypeError, joined; each names rule, field or
// type, and what to do. A Match may hold *ConditionError.
package ruleset
