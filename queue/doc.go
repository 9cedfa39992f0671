// Package queue keeps events until they are pushed to Git. Its queue is
//
//   - sharded: each destination has a line of its own, so one that is slow or fails delays no
//     other.
//   - exclusive: a batch of a line is leased to one consumer; nobody else gets that line meanwhile.
//   - at least once: an event stays until its lease ends with Done; after Retry it comes again.
//   - ordered: the events of one object come out in the order in which they came in.
//   - coalescing: of the events of one object that wait, only the newest is handed out.
//   - debounced: a line is handed out once it is quiet, old, long or large enough (Window).
//   - fair: lines that are due take turns, and live changes go before what a listing found.
//   - bounded: in events and bytes, for each line and in total. Add blocks while there is no room.
//
// Producers call Add or TryAdd. A consumer calls Next, which returns a Batch of one line with its
// Lease, and settles the lease with Done or Retry. Runner is that consumer: it calls a Handler for
// each batch. Sharded is the Queue in memory. Package queuetest checks another Queue, sentence by
// sentence.
//
// # Guarantees
//
// What comes out:
//
//   - Every event that was accepted is handed out until a lease that holds it ends with Done, or
//     until it is superseded, or forgotten by Forget. Nothing else drops one.
//   - Sharded forgets all events when the process ends; a seed of each destination brings them
//     back. A durable Queue hands out after it was opened again what was accepted and not done
//     before.
//   - A batch holds the events of one key, at least one.
//   - A key is leased to one consumer at a time. By default the key is the whole destination
//     (ByDestination), so a destination with any field changed has a line of its own. Forget the
//     old one.
//   - The events of an object in one destination are handed out in the order in which they came in,
//     also after a Retry. Events of different objects have no order: live changes go before what a
//     listing found.
//
// What supersedes what:
//
//   - A new event supersedes the waiting ones of its ID and destination, and stands at the tail of
//     the line.
//   - A new SeedSync supersedes the waiting one of its destination, since its Inventory speaks for
//     all collections.
//   - A write with a Precondition supersedes only writes with the same one. If an IfAbsent replaced
//     a waiting Delete, it would find the old file and leave it. Where it does not supersede, both
//     are kept and handed out in order, in one batch.
//   - An event that comes in while its object is being pushed is no part of that batch, and stays
//     when the batch is done.
//   - Retry drops those events of its batch that a newer one has superseded meanwhile.
//   - With Options.KeepEvery changes are not coalesced, for a commit per change, and a line is
//     strictly first in, first out. SeedSyncs still are.
//
// When a batch is due:
//
//   - A line is due when it has been quiet for Window.Debounce, when its oldest event has waited
//     for Window.MaxWait, when Window.Count live events or Window.Bytes of content wait, whichever
//     comes first. A line that had to refuse an event is due at once.
//   - A batch takes at most Window.Bytes, and at least one event. If age made it due, the remainder
//     is due at once; if size did, the remainder waits for its own window, so that the batches of a
//     long listing are full.
//   - Lines that are due take turns, those with live changes first. A line that holds nothing but
//     what a listing found waits four turns at most. Within a line a listing waits four batches at
//     most.
//   - A line whose batch failed backs off, exponentially and with jitter, whatever comes in
//     meanwhile; the others go on. A failure that matches ErrPermanent makes it back off for the
//     longest time at once. One that names a time (RetryDelayer) is not tried before. Done ends the
//     row of failures, Wake the backoff.
//
// What room there is:
//
//   - Room is bounded, for each line and in total, in number and bytes, batches in hand included.
//   - Content that several events share, as one pointer, counts for each of them in its line, and
//     once in total. What the queue holds already takes no bytes of the total.
//   - What finds no room blocks in Add until there is, or until its context ends. TryAdd refuses it
//     with ErrFull. An event that replaces one of its size needs none. If another event shares the
//     content that is replaced, it needs room in total.
//   - A line may hold at most what is left in the queue's total. An empty line always accepts one
//     event of any size, so every line makes progress; the total is exceeded by one event a line at
//     most.
//   - Room returns when a TryAdd of what was refused last may succeed.
//
// How it ends:
//
//   - Forget drops what waits for a destination, and turns the Retry of what is in hand into a
//     Done. What comes in afterwards is kept, and other destinations of the line are not touched.
//   - Shutdown refuses new events, hands everything accepted out once more without delay, and
//     returns nil once all is done. If events are left after that try, or when its context ends, it
//     returns a *RemainingError. Called again, it waits again.
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
// # Feeding it
//
// A Watcher of package event/source fills a queue by itself. A Feeder does it for informers of your
// own: it never waits for room, and reads again what found none.
//
// # Errors
//
// A Queue returns ErrFull, ErrShutdown and ErrLeaseLost. It returns event.ErrIncomplete for an
// event that must not travel. The error of a call that ended because its context did matches the
// context's error.
//
// A Handler returns ErrPermanent and *PartialError. Nobody but the queue retries: a Handler that
// fails returns, and its key backs off.
//
// # Metrics
//
// With a MeterProvider, Sharded and Runner measure, as "kubescribe.queue." and:
//
//	added             {event}  counter         accepted: the next three, waiting and in_hand
//	coalesced         {event}  counter         events that a newer one superseded
//	done              {event}  counter         events that were handed out and done
//	forgotten         {event}  counter         events that Forget dropped
//	retried           {event}  counter         times that an event was put back
//	refused           {event}  counter         times that TryAdd found no room
//	waiting           {event}  up-down counter events that wait: the depth
//	in_hand           {event}  up-down counter events that are handed out and not settled
//	size              By       up-down counter content of both; what several share counts once
//	lines             {line}   up-down counter lines that hold something
//	parked            {line}   up-down counter lines that back off
//	oldest            s        gauge           age of the oldest event that waits
//	batch.events      {event}  histogram       of each batch that was handed out
//	batch.bytes       By       histogram       its content
//	batch.wait        s        histogram       time of its oldest event in the queue
//	handler.duration  s        histogram       time that handlers took, by outcome
//	handler.waiting   {batch}  up-down counter batches in hand that wait for a slot
//	handler.running   {batch}  up-down counter batches whose handler runs
//
// The attribute outcome of handler.duration is done, partial, failed, permanent, panicked or
// lease_lost. No metric of these has the destination as an attribute: there may be many thousands.
// Sharded.Snapshot and Line describe single lines. A line that stands still shows in oldest, a line
// that fails in parked.
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
//   - Line and Stats are for people and status pages; they may lag.
package queue
