// Package gitservertest runs a real Git server in a test: repositories over HTTP, HTTPS and SSH on
// the loopback interface, served by the Git that is installed.
//
// Use it to test what clones, fetches or pushes. The test starts a server, makes a repository, lets
// the code under test push to its URL, and then asks the repository for its commits and files:
//
//	server := gitservertest.NewServer(t, nil)
//	repo := server.NewRepo("team/app.git")
//	... // push to repo.URL()
//	commits, files := repo.Log("main"), repo.Tree("main")
//
// The end of the test ends the server. A server also fails on request, as hosts and networks do.
//
// # The server
//
// [NewServer] serves bare repositories by git http-backend (gitprotocol-http(5)), so references,
// hooks, fsck and capabilities behave as on a host that runs Git. [NewSSHServer] serves the same
// repositories over SSH.
//
// # Faults
//
// The test stands between the client and Git. It sees every HTTP request ([Server.OnRequest],
// [Server.Count]), makes any of them fail ([Server.Intercept], [Fault]), and takes the server off
// the network ([Server.Down]). [Repo.Hook], [Repo.OnPreReceive] and [Repo.Protect] are the rules of
// the host.
//
// # The judge
//
// The other methods of [Repo] read a repository through the git command line alone: no library that
// a test is about has a say in its own verdict. [Repo.Commit] is a commit by somebody else.
//
// # Guarantees
//
//   - No ambient configuration: every git process runs with GIT_CONFIG_GLOBAL=/dev/null,
//     GIT_CONFIG_NOSYSTEM=1, and a HOME and a PATH of its own ([Server.Env]).
//   - The end of the test closes everything: connections are cut, held requests are given up, and
//     no goroutine and no process of the server is left. A hook must therefore end by itself.
//
// # Errors
//
// A method that cannot do its work ends the test with Fatal; none returns an error. Make the server
// in the test that uses it: a subtest cannot end the testing.TB of its parent.
//
// # Concurrency
//
// All methods may be called concurrently, and from the callbacks too. Callbacks run on goroutines
// of the server. What a callback shares with the test needs a lock or a channel. A push does not
// put the two in order: the git command is another process, and synchronises nothing in this one.
//
// # Requirements
//
// A Unix with git 2.39 or newer, sh, cat, rm and mkfifo.
package gitservertest
