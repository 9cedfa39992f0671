// Package watch follows a Kubernetes cluster and puts an event into the line of every destination that a change concerns.
// Next to k8s.io/apimachinery/pkg/watch, import it as kswatch.
//
// # What it does
//
// For each type that a ruleset.RuleSet asks for, a stream lists the objects page by page and then watches them, as the
// Kubernetes documentation recommends ("Efficient detection of changes", API concepts). An object is sanitised and encoded
// once, and one complete event goes to the line of each destination that wants it. When all streams of a destination have
// listed what they can, the destination gets a SeedSync, also one for which no object was found: only then does the sink
// learn that its last object is gone.
//
// # Guarantees
//
//   - A change that reaches the watcher reaches the line of each destination that wants it, or a later state of the same
//     object does. Versions in between may be left out, as in every watch.
//   - The watcher never blocks on the queue. What finds no room is marked in the ledger and fetched again when there is
//     room. A dead remote stops neither streams nor other destinations, and no listing waits for a push.
//   - A status-only update, or any other that leaves the sanitised content as it was, ends at the ledger.
//   - An object with a deletionTimestamp counts as deleted. So does, for one destination, an object that its rules select no
//     more, since its labels or those of its namespace have changed; the others keep it.
//   - One watch of all namespaces may feed rules of single ones (Options.Collapse). No destination receives more for that.
//   - Only what was listed completely, and has been followed since, may be pruned: View.Scopes leaves out a type that RBAC
//     forbids, that discovery does not know, or whose listing broke off. A listing that breaks off is begun anew.
//   - What no rule of a destination covers any more is neither deleted nor kept up to date. Its Inventory says what that is
//     (event.Snapshot), and leaves out what is in doubt: types that a faulty rule might mean, groups that discovery
//     could not read, and everything while the rules change.
//   - After 410 Gone a type is listed again; what the ledger knew and the listing lacks is sent as a delete.
//   - A cluster that is set back to a snapshot of its etcd is found out when a stream opens its
//     watch anew: a restore ends the watches, and a stream pauses for a minute at most after
//     failures; a watch that outlives it ends within ten minutes and a half. Then everything is
//     listed anew, the log says so once, and nothing is swept before. A further rewind that is
//     found soon after is followed at once by the streams that find it, and by all others within
//     ten minutes.
//   - What no stream can see, since the resource versions have come as far again before it asks,
//     and a cluster that is set forward, the next Resync heals: it lists objects and labels of
//     namespaces.
//   - New rules list only what they say otherwise than the old ones (ruleset.RuleSet.Changed): a type, or single namespaces
//     of it; so do labels of a namespace that move it in or out of a rule. What is being listed again is swept only when that
//     is done. A destination that is gone, or a rule for another type, lists nothing.
//   - A type is read in the version that its group prefers, if a rule allows it, else in the best that one allows
//     (ruleset.RuleSet.Watches). It stays until it is gone or the preference changes; the order in which discovery tells
//     types and versions means nothing.
//   - Where a server forbids a watch of all namespaces, rules of single ones are served by watches of their own, and the wide
//     one is asked for until it is allowed.
//   - Not more than the newest state is ever known: what happened to an object while nobody watched is lost.
//
// It needs the rights to get, list and watch what the rules ask for, and namespaces if they look at their labels.
//
// # Memory
//
// There is no cache of objects. The ledger holds for each wanted object its name, a hash of its content and a shared
// pointer to its destinations, about 100 bytes; a destination without room holds a bit for each object of a type for which it
// waits, and a bit more for deletes.
//
// # Concurrency
//
// All methods of a Watcher may be called concurrently. One goroutine, that of Start, decides which streams and feeders
// run; each stream and each feeder is a goroutine of its own and ends before Start returns. The ledger has one lock; events
// are offered to the queue under it, with TryAdd. An Inventory may be asked from any goroutine and holds the lock for reading.
package source
