// Package queue keeps changes in line until they are pushed: a line for each destination, so that what happens to one
// holds up no other.
//
// Producers put events in (Add, TryAdd). A consumer takes a batch of one line (Next), which is leased to it until it says
// what became of it (Done, Retry). Runner is that consumer: it calls a Handler for each batch and settles the lease.
// Sharded is the Queue in memory.
//
// # Guarantees
//
//   - At least once: every event that was accepted is handed out until a lease that holds it ends with Done, or until it
//     is superseded, or forgotten by Forget. Nothing else drops one. Sharded forgets all when the process ends; a seed of
//     each destination brings it back.
//   - One holder: a key is leased to one consumer at a time. The key is the destination (ByDestination), so a destination
//     with any field changed has a line of its own; Forget the old one.
//   - Order: the events of an object in one destination are handed out in the order in which they came in, also after a
//     Retry. Between objects there is none: live changes go before what a listing found.
//   - Coalescing: a new event supersedes the waiting ones of its ID and destination, and stands at the tail of the line.
//     A new SeedSync supersedes the waiting one of its destination, since its Live speaks for all scopes. A write with a
//     Condition supersedes only writes with the same one: laid over a waiting Delete, an IfAbsent would find the old file
//     still there and leave it. Where it does not supersede, both are kept and handed out in order, in one batch.
//   - Survival: an event that comes in while its object is being pushed is no part of that batch, and stays when it is
//     done. Retry drops those events of its batch that it supersedes.
//   - Turns: lines that are due take turns, those with live changes first; one that holds nothing but what a listing found
//     waits four turns at most. Within a line a listing waits four batches at most.
//   - Isolation: a line whose batch failed backs off, exponentially and with jitter, whatever comes in meanwhile; the others
//     go on. A failure that matches ErrPermanent makes it back off for the longest time at once; one that says when to
//     come back (RetryDelayer) is not tried before.
//   - Room: it is bounded, for each line and in total, in number and bytes, batches in hand included; what finds none
//     blocks or is refused with ErrFull. A line takes no more than is still free in total beside it, so a few that cannot be
//     emptied leave the others room. However many they are, a line that holds nothing takes one event, whatever its size:
//     every line goes on, and the total is passed by one event for each line at most.
//   - Shutdown: everything accepted before is handed out once more, and what then is left is told (*RemainingError).
//
// When a batch is due, Window says. A batch holds the line up to Window.Bytes, and at least one event; what was beyond that
// is due at once. So is a line that had to refuse an event.
//
// With Options.KeepEvery changes are not coalesced, for a commit per change, and a line is strictly first in, first out.
// SeedSyncs still are.
//
// # Concurrency
//
// All methods of Queue, Lease and Runner may be called by any number of goroutines. Events are values and are never
// modified; their Content is shared, not copied.
//
// Sharded starts no goroutine and needs no Close. A line costs nothing once it is empty. Add, Next, Done and Retry cost
// O(log lines) besides what is proportional to the batch. Calls of Add that block on one line are served first come, first
// served, and TryAdd does not pass them.
//
// # Errors
//
// ErrFull, ErrShutdown and ErrLeaseLost are what a Queue answers, event.ErrIncomplete what it answers to an event that must
// not travel. A call that ended because its context did matches the context's error. ErrPermanent and *PartialError are
// what a Handler tells. Nobody but the queue retries: a Handler that fails returns, and its key backs off.
//
// # Implementing your own
//
// A Queue must keep the guarantees; the numbers (room, windows, backoff) are its own. What it must take care of:
//
//   - Events of one ID must never be reordered, and the newest of them must never take the place of an older one further
//     ahead. A Live that is asked late forgives the latter; one that copies what lived does not.
//   - Lease methods must work after the context of Next has ended. Done and Retry settle also if the queue shuts down.
//   - Held must be false in doubt. A Lease that can be lost must lose it before the key is handed to somebody else.
//   - Shutdown must look whether everything is done before it looks at its context.
//   - Line and Stats are for people and status; they may lag.
package queue
