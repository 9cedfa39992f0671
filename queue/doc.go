// Package queue keeps changes in line until they are pushed: a line for each destination, so that
// what happens to one holds up no other.
//
// Producers put events in (Add, TryAdd). A consumer takes a batch of one line (Next), which is
// leased to it until it says what became of it (Done, Retry). Runner is that consumer: it calls a
// Handler for each batch and settles the lease. Sharded is the Queue in memory. Package queuetest
// checks a Queue of your own, sentence by sentence.
//
// # Guarantees
//
// What comes out:
//
//   - Every event that was accepted is handed out until a lease that holds it ends with Done, or
//     until it is superseded, or forgotten by Forget. Nothing else drops one. Sharded forgets all
//     when the process ends; a seed of each destination brings it back. A durable Queue hands out
//     after it was opened again what was accepted and not done before.
//   - A batch holds the events of one key, at least one.
//   - A key is leased to one consumer at a time. The key is the destination (ByDestination), so a
//     destination with any field changed has a line of its own; Forget the old one.
//   - The events of an object in one destination are handed out in the order in which they came in,
//     also after a Retry. Between objects there is none: live changes go before what a listing
//     found.
//
// What supersedes what:
//
//   - A new event supersedes the waiting ones of its ID and destination, and stands at the tail of
//     the line.
//   - A new SeedSync supersedes the waiting one of its destination, since its Inventory speaks for
//     all scopes.
//   - A write with a Precondition supersedes only writes with the same one: laid over a waiting
//     Delete, an IfAbsent would find the old file still there and leave it. Where it does not
//     supersede, both are kept and handed out in order, in one batch.
//   - An event that comes in while its object is being pushed is no part of that batch, and stays
//     when it is done.
//   - Retry drops those events of its batch that a newer one has superseded meanwhile.
//   - With Options.KeepEvery changes are not coalesced, for a commit per change, and a line is
//     strictly first in, first out. SeedSyncs still are.
//
// When a batch is due:
//
//   - A line is due when it has been quiet for Window.Debounce, when its oldest event has waited
//     for Window.MaxWait, when Window.Count live events or Window.Bytes of content wait, whichever
//     comes first.
//   - A batch holds the line up to Window.Bytes, and at least one event; what was beyond that is
//     due at once if the batch was due by its age, and else when it would be as a line of its own:
//     batches of a long listing are full. A line that had to refuse an event is due at once.
//   - Lines that are due take turns, those with live changes first; one that holds nothing but what
//     a listing found waits four turns at most. Within a line a listing waits four batches at most.
//   - A line whose batch failed backs off, exponentially and with jitter, whatever comes in
//     meanwhile; the others go on. A failure that matches ErrPermanent makes it back off for the
//     longest time at once; one that says when to come back (RetryDelayer) is not tried before.
//     Done ends the row of failures, Wake the backoff.
//
// How much there is room for:
//
//   - Room is bounded, for each line and in total, in number and bytes, batches in hand included.
//   - What finds no room blocks in Add until there is, or until its context ends; TryAdd refuses it
//     with ErrFull. An event that replaces one of its size needs none.
//   - One line cannot use up the room of others: a line takes no more than is still free in total
//     beside it. However many cannot be emptied, a line that holds nothing takes one event,
//     whatever its size: every line goes on, and the total is passed by one event for each line at
//     most.
//   - Room returns when a TryAdd of what was refused last may succeed.
//
// How it ends:
//
//   - Forget drops what waits for a destination, and makes the Retry of what is in hand a Done;
//     what comes in afterwards is kept, and other destinations of the line are not touched.
//   - Shutdown refuses new events, hands everything accepted out once more without delay, and
//     returns nil once all is done. What is left after that try, or when its context ends, it tells
//     (*RemainingError). Called again, it waits again.
//
// # Concurrency
//
// All methods of Queue, Lease and Runner may be called by any number of goroutines. Events are
// values and are never modified; their Content is shared, not copied. What a consumer does to the
// slice Batch.Events does not reach the line.
//
// Sharded starts no goroutine and needs no Close. A line costs nothing once it is empty. Add, Next,
// Done and Retry cost O(log lines) besides what is proportional to the batch. Calls of Add that
// block on one line are served first come, first served, and TryAdd does not pass them.
//
// # Errors
//
// ErrFull, ErrShutdown and ErrLeaseLost are what a Queue answers, event.ErrIncomplete what it
// answers to an event that must not travel. A call that ended because its context did matches the
// context's error. ErrPermanent and *PartialError are what a Handler tells. Nobody but the queue
// retries: a Handler that fails returns, and its key backs off.
//
// # Metrics
//
// With a MeterProvider, Sharded and Runner measure, as "kubescribe.queue." and:
//
//	added             {event}  counter         events that were accepted: the sum of the next three, waiting and in_hand
//	coalesced         {event}  counter         superseded by a newer one
//	done              {event}  counter         handed out and done
//	forgotten         {event}  counter         dropped with their destination
//	retried           {event}  counter         times that an event was put back
//	refused           {event}  counter         times that TryAdd found no room
//	waiting           {event}  up-down counter events that wait: the depth
//	in_hand           {event}  up-down counter events that are handed out and not settled
//	size              By       up-down counter content of both
//	lines             {line}   up-down counter lines that hold something
//	parked            {line}   up-down counter lines that back off
//	oldest            s        gauge           age of the oldest event that waits
//	batch.events      {event}  histogram       of each batch that was handed out
//	batch.bytes       By       histogram       its content
//	batch.wait        s        histogram       how long its oldest event has been in the queue
//	handler.duration  s        histogram       by outcome: done, partial, failed, permanent, panicked, lease_lost
//	handler.waiting   {batch}  up-down counter batches in hand that wait for a place in their group or in total
//	handler.running   {batch}  up-down counter batches whose handler runs
//
// No metric has a destination for an attribute, since there may be many thousand: Sharded.Snapshot
// and Line tell of single lines. A line that stands still shows in oldest, one that fails in
// parked.
//
// # Implementing your own
//
// A Queue must keep the guarantees; the numbers (room, windows, backoff) are its own. Run
// queuetest.TestQueue on it. What it must take care of:
//
//   - Events of one ID must never be reordered, and the newest of them must never take the place of
//     an older one further ahead. An Inventory that is asked late forgives the latter; one that
//     copies what lived does not.
//   - Lease methods must work after the context of Next has ended. Done and Retry settle also if
//     the queue shuts down.
//   - Held must be false in doubt. A Lease that can be lost must lose it before the key is handed
//     to somebody else.
//   - Shutdown must look whether everything is done before it looks at its context.
//   - Line and Stats are for people and status; they may lag.
package queue
