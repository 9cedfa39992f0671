// Package gitsinktest has what a test of something that writes to Git needs: a real Git server that fails on request,
// and a judge of what arrived.
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
