// Package queuetest is a conformance kit for your own Queue: a durable one, a distributed one, or
// one in front of the one that kubescribe has.
//
//   - [TestQueue] checks that a queue.Queue keeps the contract of package queue: one subtest for
//     each promise. A check that fails quotes the sentence that was broken.
//   - [BenchmarkQueue] measures the cost of an event.
//   - A [Harness] makes the queues.
//
// The kit is tested itself: queue.Sharded passes it, and queues that are broken on purpose do not.
// It asks for what package queue says, and a little more, so that a user finds one queue like the
// other:
//
//   - A queue honours the queue.Options that it is made with.
//   - An event comes out as it went in: every field but Inventory, which a durable queue may have
//     to make anew.
//   - A Retry that names events which are not of the batch puts all of it back, and returns an
//     error.
//
// # Time
//
// Checks run in a testing/synctest bubble each, where time passes only while everybody waits: they
// are exact, and a backoff of an hour costs nothing. A queue that does I/O or has goroutines from
// outside of the test cannot be in a bubble: with Harness.RealTime windows and backoffs are short,
// and what comes late is forgiven.
//
// # Concurrency
//
// The functions of a Harness are called from one goroutine at a time; the methods of the queues
// that New returns from many.
package queuetest
