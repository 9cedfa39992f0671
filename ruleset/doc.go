// Package ruleset decides which objects go to which destinations.
//
// A Rule selects objects by type, namespace and labels, as the rules of an admission webhook do,
// and names one destination. Compile checks all rules and returns an immutable RuleSet, which
// answers:
//
//   - Match: which destinations want this object?
//   - Watches: what must be listed and watched for the rules, and what does each destination cover?
//   - Explain: why does a rule select this object, or not? It is for people.
//   - Err: what is wrong with this rule?
//
// Nothing here talks to a cluster.
//
// # Guarantees
//
//   - A rule with any fault is left out as a whole, and all of its faults are reported. The other
//     rules work.
//   - Match returns each destination once, however many rules send the object there. The order of
//     the rules changes nothing.
//   - The cost of Match depends on the rules for the type of the object (or for all types) in its
//     namespace, and on those without a namespace. Match allocates nothing when nothing matches,
//     and takes no lock but for the first object of a type of which fields are ignored.
//   - A rule with a Namespace in its Name sees the objects of that namespace only, and never
//     cluster-scoped ones. It reaches the destinations of that namespace, and others that allow it.
//     At a destination that does not allow it the rule has no say, not even as a fault.
//
// # Differences from admission
//
// A ResourceRule means what it means as a rule of an admission webhook
// (https://kubernetes.io/docs/reference/access-authn-authz/extensible-admission-controllers/),
// except for these:
//
//	                           admission                  here
//	empty list                 refused by the API         all; apiGroups [""] is the core group
//	"*" beside other values    refused by the API         everything
//	subresources, "pods/*"     requests to subresources   a fault: they are never mirrored
//	CONNECT                    an operation               a fault: it changes nothing
//	"apps*"                    never matches              a fault
//	rules in a namespace       do not exist               see their own namespace only
//	matchPolicy                Equivalent by default      Exact, in the version that is read
//	a Namespace object         lies in itself             lies in no namespace
//	namespaces of other groups are taken for Namespaces   are objects like any other
//	namespaceSelector          of all webhooks            of cluster rules only, else a fault
//	objectSelector             old or new object          new object; no longer selected: a delete
//	exclusions                 names, of policies only    also globs, as in path.Match; they win
//	matchConditions            object, oldObject, request object, part of request: ruleset/cel
//	failurePolicy              Fail or Ignore             neither: the file stays as it is
//
// As in admission, a namespaceSelector does not restrict cluster-scoped objects, except that a
// Namespace is matched by its own labels. "*" includes every type that can be listed and watched:
// Events, Leases and EndpointSlices, too, and types that two groups serve (events, events.k8s.io)
// twice. Use Exclude, or the ready-made exclusions of Skip.
//
// docs/rules.md has this table, too, and tables of joined operations, presets and the reasons of
// Explain.
//
// # Operations
//
// CREATE and UPDATE cannot be told apart after a restart. So a rule with only CREATE writes a file
// where none is (event.IfAbsent), and a rule with only UPDATE where one is (event.IfPresent). Rules
// of one destination that together ask for both always write. A rule with only DELETE never writes.
//
// # Several rules for one destination
//
// The rules of a destination are joined. An object is written if one of them asks for a write, with
// the weakest precondition of all. Its delete is reported if one of them asks for DELETE. An
// exclusion, a selector, SkipControlled, a Condition and IgnoreManagers apply to their own rule
// only. Sweeping is the other way round: each rule that covers a collection can forbid it (see
// Coverage).
//
// If a Condition cannot be evaluated for an object, the file stays as it is, unless another rule
// writes it.
//
// IgnoreManagers keeps a change from being written if only these field managers have made it. The
// object still matches: it lives, and its file is no orphan. Deletes are not affected.
//
// # Ignored and sensitive fields
//
// Ignore names fields that are left out of a file. Of the rules of a destination that write the
// object, whoever made a change, all must leave a field out. Sensitive names what is only ever
// written encrypted; there one rule of the destination is enough. Match.Ignored and Match.Sensitive
// have what the rules come to, and Explanation.LeftOut has the fields of one object.
//
// # Versions
//
// A file stands for an object of a group and resource, so each type is read in one version: the one
// that the server prefers if some rule allows it, else the next that some rule allows. A rule that
// allows only another version gets nothing of the type, and Watches names it (ErrOtherVersion). The
// number of rules does not count: a rule in one namespace must not rewrite the files of all others.
//
// # Coverage
//
// The coverage of a destination is what its rules name by type and namespace. Selectors, a
// Condition, SkipControlled and exclusions with Names filter objects but do not narrow the
// coverage: within it, a file whose object no rule selects is an orphan. An exclusion of whole
// types that leaves no operation does narrow it: the type is not watched for that rule, and its
// files stay as they are, as if the rule had never named the type.
//
// A collection is sweepable only if each rule of the destination that covers any of it
//
//   - is valid. A rule with a fault forbids sweeping what it covers, read as widely as possible: a
//     faulty group, version, resource or scope counts as all of them. A rule whose destination is
//     unknown belongs to no destination.
//   - asks for DELETE there, of all names that it wants at all.
//   - gets what it asks for in the version that is read. Otherwise files that it has written in
//     another version stand in the same place, and must not be taken for orphans.
//
// A cluster rule covers all namespaces as one collection, which has no holes. If a rule of the same
// destination in one namespace forbids sweeping, nothing of the type is swept in that destination.
// Give that rule a destination of its own.
//
// Rules for single namespaces become one watch each. As soon as a cluster rule of any destination
// covers the type, one watch of all namespaces replaces them.
//
// # Errors
//
// Compile and RuleSet.Err return *RuleError, Watches returns *TypeError, joined; each names rule,
// field or type, and what to do. A Match may hold *ConditionError.
package ruleset
