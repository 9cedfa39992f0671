// Package gitsinktest has what a test of something that writes to Git needs: a conformance kit for sinks of one's own, a
// [Fake] sink, a real Git server that fails on request, and a judge of what arrived.
//
// # The conformance kit
//
// [TestGitSink] checks that a gitsink.GitSink keeps its contract, one subtest for each promise. A [Harness] says how the
// sink is made and where it writes to, which need not be Git; an [Observer] looks at that place behind the sink's back.
// The kit runs against the Fake, and against sinks that are broken on purpose: each of them is refused.
//
// It asks for what package gitsink says, and a little more, so that a user finds one sink like the other:
//
//   - What Tree.Read returns is the plan's, to change and to keep.
//   - A file that is written anew keeps its mode.
//   - Symbolic links and submodules are neither followed nor overwritten: ErrPath.
//   - A missing branch starts with the commit of the default branch, if the store has one.
//   - An Apply whose context has ended before its plan ran returns the context's error and writes nothing.
//   - An Apply whose context ends while its plan runs returns as soon as the plan does.
//   - A call that waits for another returns when its context ends.
//   - A plan that panics fails its own call, by an error or the panic, and nothing else.
//   - A plan that takes its time holds up its own branch at most.
//
// It does not ask for speed, nor what becomes of a push whose answer is lost: that depends on the protocol.
//
// # What is hostile
//
// [TestHostile] lets a Writer on a sink meet what others may put in its way, and measures memory,
// time and goroutines. Each case is a value of [Hostile]: [HostileRepositories] are those that
// whoever can push to a repository can make, [HostileServers] those of a server, or of somebody
// between, that answers for harm. The latter expect the sink to show [HostileLogin].
//
// # Errors
//
// A method that cannot do its work ends the test with Fatal; none returns an error.
//
// # Requirements
//
// A Unix with git 2.39 or newer, sh, cat, rm and mkfifo.
package gitsinktest
