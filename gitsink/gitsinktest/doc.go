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
// # The server
//
// [NewServer] serves bare repositories over HTTP or HTTPS on the loopback interface. The Git in it is the installed one
// (git http-backend, gitprotocol-http(5)), so references, hooks, fsck and capabilities behave as on a host that runs
// Git. [NewSSHServer] serves the same repositories over SSH. Between client and Git stands the test: it sees every HTTP
// request ([Server.OnRequest], [Server.Count]), makes any of them fail ([Server.Intercept], [Fault]) and takes the
// server off the net ([Server.Down]).
//
// # The judge
//
// The methods of [Repo] read and change a repository through the git command line alone: no library that a test is
// about has a say in its own verdict. [Repo.Commit] is somebody else's commit; [Repo.Hook], [Repo.OnPreReceive] and
// [Repo.Protect] are the host's rules.
//
// # Guarantees
//
//   - No ambient configuration: every git process runs with GIT_CONFIG_GLOBAL=/dev/null, GIT_CONFIG_NOSYSTEM=1, a HOME
//     and a PATH of its own ([Server.Env]).
//   - The end of the test closes everything: connections are cut, held requests given up, and no goroutine and no
//     process of the server is left. A hook must therefore end by itself.
//
// # Errors
//
// Methods that cannot do their work end the test of the server's testing.TB with Fatal; none returns an error. Make the
// server in the test that uses it: a parent's testing.TB cannot be ended from a subtest.
//
// # Concurrency
//
// All methods may be called concurrently, and from the callbacks too. Callbacks run on goroutines of the server. What one
// shares with the test needs a lock or a channel, even where a push seems to put the two in order: a push by another
// process, the git command line among them, synchronises nothing in this one.
//
// # Requirements
//
// A Unix with git 2.39 or newer, sh, cat, rm and mkfifo.
package gitsinktest
