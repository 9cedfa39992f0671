// Package source follows a Kubernetes cluster and tells each destination what changed for it.
//
// For each type that a ruleset.RuleSet asks for, a reflector lists the objects and then watches
// them, as client-go's reflectors do. An object is sanitised and encoded once. A change becomes an
// event for every destination that wants it, and the event goes into the line of that destination
// in a queue. When all reflectors of a destination have listed what they can, it gets a SeedSync:
// its sink says which files differ from what was listed, and these alone are sent. There is no
// cache of objects. A ledger holds the digest of each object and who has a file of it, and what has
// to be sent is fetched again, once for all destinations. Lists and watches are read as they
// arrive, one object at a time, and what no rule looks at is not decoded. So a dead remote costs a
// bit for each object that it misses, and holds up nobody else.
//
// # Guarantees
//
//   - A change that reaches the Watcher reaches the line of each destination that wants it, or a
//     later state of the same object does. Versions in between may be left out, as in every watch.
//   - The Watcher never blocks on the queue. What finds no room is marked in the ledger and fetched
//     again when there is room. A dead remote stops neither reflectors nor other destinations.
//   - A seed sends what differs, not what there is. What a listing finds for the first time for a
//     destination is not sent: the SeedSync that follows compares it with the file. What it finds
//     changed since it was last told is. What is sensitive is always sent, since its file is
//     encrypted: core v1 Secrets, and what rules or Options.Sensitive say.
//   - A seed has two SeedSyncs at most: one that compares, and sweeps if nothing differs, else one
//     that sweeps after what differed. It waits for all listings of the destination, but no longer
//     than twice Options.Rediscover for one that does not end: then it compares without that one,
//     and nothing is swept.
//   - What several destinations wait for is fetched once for all, page by page (walk). A page waits
//     for members that have no room while others make progress, for 3 s after the last did, and
//     for ever only if it holds up nobody.
//   - An update that leaves the content of a file as it was makes no event for its destination, as
//     one of the status or of fields that its rules ignore. If the last update of the object was
//     of that kind as well, it is not even encoded (quiet.go).
//   - Destinations whose rules ignore different fields of an object each have a content of their
//     own, and are compared with that alone.
//   - Where new rules call more of a destination sensitive, what waits for it is forgotten, since
//     it was made in plain, and the destination is seeded anew.
//   - An object with a deletionTimestamp counts as deleted. So does, for one destination, an object
//     that its rules select no more, since its labels or those of its namespace have changed. Other
//     destinations keep it.
//   - One watch of all namespaces may feed rules of single ones (Options.Collapse). No destination
//     receives more for that.
//   - Only what was listed completely, and has been followed since, may be swept.
//     Snapshot.Collections leaves out a type that RBAC forbids, that discovery does not know, or
//     whose listing broke off. A listing that breaks off is begun again.
//   - What no rule of a destination covers any more is neither deleted nor kept up to date. Its
//     Inventory says what that is (event.Snapshot). It leaves out what is not certain: types that a
//     faulty rule might mean, groups that discovery could not read, and everything while the rules
//     change.
//   - After 410 Gone a type is listed again. What the ledger knew and the listing lacks is sent as
//     a delete.
//   - A cluster that is set back to a snapshot of its etcd is found out when a reflector opens its
//     watch again. A restore ends the watches, and a reflector pauses for a minute at most after
//     failures; a watch that outlives the restore ends within ten minutes and a half. Then
//     everything is listed again, the log says so once, and nothing is swept before. A second
//     rewind soon after is followed at once by the reflectors that find it, and by all others
//     within ten minutes.
//   - The next Resync heals what no reflector can see: the resource versions have come as far again
//     before it asks, or the cluster was set forward. It lists objects and labels of namespaces.
//     Sweep compares without a listing, for what others did to a folder.
//   - New rules list only what they say otherwise than the old ones: a
//     type, or single namespaces of it. So do labels of a namespace that move it in or out of a
//     rule. What is being listed again is swept only when that is done. A destination that is gone,
//     or a rule for another type, lists nothing.
//   - A type is read in the version that its group prefers, if a rule allows it, else in the best
//     that one allows (ruleset.RuleSet.Watches). It stays until it is gone or the preference
//     changes. The order in which discovery names types and versions means nothing.
//   - Where a server forbids a watch of all namespaces, watches of single ones serve the rules of
//     these, and a probe asks for the wide one until it is allowed.
//   - Only the newest state is ever known: what happened to an object while nobody watched is lost.
//
// It needs the rights to get, list and watch what the rules ask for, and namespaces if the rules
// look at their labels.
//
// # Memory
//
// The ledger holds for each wanted object its name, the digest of its content and a shared pointer
// to its owners, about 130 bytes; 32 bytes and what a map costs more for each digest by which its
// destinations differ. Of objects whose updates change nothing, 2 MiB at most are remembered. A
// destination holds a bit for each object of a type for which it waits, a bit more for deletes, and
// one for what was sent since its last SeedSync. A listing has one object in memory, a walk the
// contents of a page, Options.Lists of them at a time. While a seed compares, up to 4 MiB of what
// its listings found of types of a thousand objects at most are kept, so that a small cluster is
// read once (kept.go).
//
// # Metrics
//
// With a MeterProvider a Watcher measures, while Start runs, as "kubescribe.source.": events,
// seeds, collections, types, objects, waiting, refused, listing.duration, watch.restarts, requests
// and progress. docs/monitoring/metrics.md says what each means. What is a total or a level is a
// number that is kept anyway, and read when somebody collects it. With a TracerProvider each
// listing and each watch is a span.
//
// # Concurrency
//
// All methods of a Watcher may be called concurrently. The planner is the goroutine of Start. It
// starts and ends reflectors, probes and backfills, a goroutine each, and all of them have ended
// when Start returns. The ledger is a value without a lock, and all decisions are its own. The
// Watcher holds its lock whenever the ledger is called, and the ledger offers events to the queue
// meanwhile, with TryAdd. An Inventory may be asked from any goroutine; it holds the lock during
// View, since it is told what differs. Walks are goroutines that backfills start, for each feed one
// at most.
//
// # Consumers
//
// Whoever takes the events must answer each SeedSync: compare, tell what Differs, sweep if it
// MaySweep, and say Landed. gitsink.Writer does. A consumer that cannot compare calls Differs for
// every object, and gets all of them.
//
// # States
//
// The feed of a reflector (feed.go). The SeedSyncs of its targets wait in the states with a star. A
// watch that cannot be opened for good, as when RBAC forbids it, leads from complete to failing.
//
//	new* --began--> listing* --listed--> complete --relist, rewind--> due* --began--> listing*
//	                   |                  |    ^
//	                 failed         began |    | listed
//	                   v                  v    |
//	                failing --began--> listing again --failed--> failing
//
// Beside that, single namespaces of a feed may be stale*, from outdate until they are listed.
//
// A target (target.go), which is a destination while the rules have it:
//
//	idle --SeedSync due and ready, or marks waiting--> pending --> backfilling --all done--> idle
//
// The seed of a target (seed.go). What is asked for after a SeedSync was sent begins anew when that
// one has landed:
//
//	over --ask--> asked --ready, SeedSync--> comparing --landed, it swept--> over
//	                                             |
//	                            landed, it did not sweep: something differs
//	                                             v
//	                          sending --backlog empty, SeedSync--> sweeping --landed--> over
//
// The mark of an object in the backlog of a target (round.go, backlog.go):
//
//	none --no room, or differs--> waiting --sent, refused, disowned or forgone--> none
//	                               |     ^
//	       reflector stands still, |     | a listing ended, discovery answered
//	       or awaits a relist      v     |
//	                               blocked
package source
