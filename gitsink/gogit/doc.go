// Package gogit is a gitsink.GitSink on go-git. It commits and pushes without a working copy,
// without an index and without a kept clone: everything is done on Git objects in memory.
//
// For a plan, the sink asks the server for the newest commit of the branch and fetches the trees
// that the plan needs, and no files. It runs the plan on that commit, makes the new objects, and
// pushes them. The push names the commit that it was built on, so the server refuses it if the
// branch has moved meanwhile; then the sink fetches what is new and runs the plan again.
//
// Plans for one branch that wait at the same time share a push. The trees stay in memory, so the
// next plan fetches nothing if nobody else has pushed.
//
// # Guarantees
//
//   - Apply runs the plan on the newest commit that the server advertises, and pushes with that
//     commit as the old value: if the branch is at anything else by then, the server refuses, and
//     the plan is run again on what is there. So nobody's commit is overwritten, and nothing is
//     merged.
//   - Only changed files, the trees on the way to them and the commits are written, and of a large
//     tree only what is different from the one that the server has (a thin pack, unless it wants
//     none). Everything else in the repository, of any name and mode, is carried through byte for
//     byte. An executable file stays executable. A folder goes with its last file.
//   - What is there already is recognised by its hash; a commit whose tree equals its parent's is
//     left out, and without commits nothing is pushed.
//   - All paths are checked by destination.ValidatePath before anything else is done, and so is the
//     length of the lines of a .gitattributes; names, addresses and messages are cleaned: git fsck
//     --strict accepts what is written. Times are in UTC. An empty message becomes "update".
//   - A symbolic link or submodule is never followed nor overwritten, and a folder never replaced
//     by a file while something is in it: ErrPath. So is a base folder that is no folder. Removing
//     a path that leads through one of them, or through a file, removes nothing.
//   - An empty repository gets a root commit. A missing branch starts with the default branch's
//     commit, so with all of its files; if there is no default branch (its HEAD leads nowhere),
//     with a root commit. A repository is empty if the service that takes pushes shows no
//     reference; if the other one alone shows none, or a connection ends before anything was said,
//     the error matches ErrUnavailable. Branches that others push to by force, delete or make anew
//     are fetched again.
//   - A push whose outcome is unknown (ctx ended, connection lost, empty answer) is looked for on
//     the branch: if it is there, Apply succeeds; if somebody waits, the plan is run again on what
//     is there; else, or if the branch cannot be read, or if this happens twice in a row with an
//     unmoved branch, the error matches ErrUnknown. When ctx ends, Apply returns within about 10
//     seconds.
//   - Whatever a server answers, it is read within bounds in bytes, after decompression, and in
//     time, and what is longer is ErrTooLarge: an advertisement 64 MiB and 256 names of what it can
//     do, headers of HTTP 256 KiB, 65,536 commits at which a history ends, a pack MaxPackBytes, and
//     64 times that may come out of it, 4 MiB of talk beside it, the answer to a push 4 MiB.
//   - A report that says ok is believed. A report that contradicts itself, is not understood or
//     says nothing of the branch is not believed: the branch says what has become of the push.
//   - A missing object is an error, never an empty folder.
//   - Whatever a repository holds, an Apply ends within its bounds, and its error names the path
//     and the bound (ErrTooLarge): a path may have 4,096 bytes, the paths that a plan is shown
//     MaxHeldBytes, with 128 bytes more for each, a chain of deltas 4,095 links. A tree without
//     files is walked once, however often it stands there.
//   - In the base folder a name that no path can have (empty, ".", "..", ".git", with a slash), one
//     that stands there twice and entries out of order are refused by name: ErrPath. Elsewhere they
//     are carried through.
//   - A plan ends with its context, PlanTimeout and Close. One that does not is left behind two
//     seconds later: its call fails, its Tree answers nothing any more, and the lane serves the
//     others.
//   - Where Options.Signer is set, no commit goes unsigned.
//   - The names of objects are those of the repository: SHA-1 or SHA-256. The server says which,
//     and any other is gitsink.ErrUnsupported. A repository that changes its format is another one:
//     nothing that was known of it is used.
//
// # Cost
//
//	Apply                              requests
//	nothing to change, nobody pushed   1   the advertisement for a push
//	commit, nobody else pushed         2   and the push
//	somebody else pushed               +1  the fetch of what is new
//	the first time                     +1  the fetch of all trees of one commit, without files
//	                                       (blob:none)
//	the same, with a base folder       +1  for each level of folders down to it that is there: the
//	                                       last of them fetches what is below it
//	the same, a new branch             +1  the advertisement for a fetch, for the default branch
//	Tree.Read                          +1  for all files of a call that are not in the cache
//	a push refused or unknown          +1  a look at the branch; the next attempt begins with it
//
// This is for HTTP, where credentials are shown with each request, so no 401 comes before.
// Elsewhere a connection is an advertisement and one request, and the first time has one more of
// them.
//
// What upload-pack offers over HTTP is not asked before the first fetch: it is taken to be what the
// servers of today offer. If the fetch fails, the server is asked, and then only what it offers is
// used: two requests more, once for a repository and not for each of its branches. A repository
// that has moved is asked each time.
//
// Lanes of one repository that wait for the same thing at once ask together over HTTP: for an
// advertisement, and for the trees of a commit where a lane has none. So the first contact with 50
// branches takes about as many requests as one branch does, and a push each. See "Lanes".
//
// Time and memory of a commit depend on the size of the folders on the way to the changes, not on
// the number of files or commits in the repository. A server without uploadpack.allowFilter sends
// all files the first time; they are dropped as they arrive, and MaxPackBytes bounds what arrives.
// One without uploadpack.allowAnySHA1InWant sends all files for a Tree.Read; they are held in
// memory for the call.
//
// # Lanes, groups and rate limits
//
// A Sink may be used concurrently. A lane (destination.RemoteBranch) is written by one goroutine at
// a time; calls for different lanes never wait for each other, but to ask together, and then for 50
// milliseconds at most. Everything that waits for a lane when its turn comes, for one URL and with
// equal answers of Options.Auth and Options.RateLimit, is a group: one checkout, the plans in the
// order of their coming, each on the tree that those before it have made, and one push of all their
// commits.
//
//   - Each call gets its own result. A plan that fails, panics or ends its goroutine, and one whose
//     caller's ctx has ended before it ran, is left out; only its caller hears of it.
//   - A push that is refused for what may be the content of one plan (ErrRejected, ErrTooLarge) is
//     divided until only the guilty plan is refused. The other refusals are everybody's.
//   - A call that waits returns as soon as its ctx ends. Later than that, what is under way goes on
//     as long as another caller of the group is there; whoever leaves waits up to 10 seconds for
//     the outcome.
//   - The objects of one push are at most 32 MiB, and its commits RateLimit.MaxCommits, unless a
//     single plan makes more.
//   - A push waits for its turn (RateLimit), and the group stays open meanwhile: plans run when the
//     turn has come. A push in place of one that was lost or refused does not wait. Where nothing
//     had to be pushed, the turn is given back.
//
// What lanes ask together is asked under one URL and equal answers of Options.Auth, after all of
// them have come: so each is told what is there now, and nothing that its own credentials do not
// show. It goes on as long as one of them is there, and its failure is nobody's: who got no answer
// asks alone, at the latest after a quarter of StepTimeout or TransferTimeout. Only an answer that
// is everybody's (a refusal of these credentials, no such repository, Retry-After) is not asked for
// again.
//
// A lane remembers the trees of its newest commit and up to about 1 MiB of small files, so that the
// next call fetches nothing; Options.CacheBytes bounds the lanes that nobody uses, and a cache that
// proves wrong is dropped.
//
// # Who may use what
//
// Which credentials a destination may use is for Options.Auth to decide, which key Options.Signer,
// and what a RepositoryRef says counts for nothing here. They are asked for every call before it is
// in a group, and again before each further attempt; who gets an error is left out with it, and who
// gets other credentials by then waits for another group. What a plan reads is fetched with its own
// call's credentials, and all else with those that every call of the group was answered with.
// Destinations with different credentials share a lane, though not a group, and every group begins
// with an advertisement for a push under its own: only who may push to the repository is served
// from the cache. Between questions credentials are told apart by a keyed hash; none are kept.
//
// Result.Foreign compares the folder with what this Sink left there last, so it is false the first
// time, and after the lane was forgotten. A push of unknown outcome that landed later is not taken
// for somebody else's, and its commits are not made again: a plan's commits that equal those of
// such a push, in turn, and together change nothing any more are left out.
//
// # Metrics
//
// With a MeterProvider a Sink measures, until Close, as "kubescribe.git.": push.duration,
// ratelimit.wait, commits, files, conflicts, requests, sent and received.
// docs/monitoring/metrics.md says what each means. A push whose outcome is unknown, and which is
// found later, has its outcome of then: its commits are not counted.
//
// # Errors
//
// All errors are *gitsink.Error, with the destination of the call. The classes that depend on a
// server's words come from one table in this package, by host in docs/server-words.md; what is in
// none is ErrRejected if the server refused a push, ErrRefused if it refused anything else, and
// ErrProtocol if its answer is not Git's, is damaged, or lacks what was asked for: it is never
// ErrUnavailable then. Retrying is the caller's: only a moved branch and an unknown outcome are
// dealt with here. A server that says when to come again (Retry-After, or GitHub's way to say it)
// is not asked before with those credentials, by any lane of that repository: Error.RetryAfter, an
// hour at most. No error holds credentials: the secrets of Auth and the user information of URLs
// are masked. Causes are kept as text, so errors of net/http and x/crypto/ssh are not matched.
//
// # Protocols
//
// http, https, ssh, git and file URLs, and paths; file and paths run the git commands upload-pack
// and receive-pack, in Options.AllowedLocalFolders only and with little of the environment; the
// others need no git, and no file system. Credentials go over http to this machine and to
// Options.AllowedPlainTextHosts only. Every step is bounded by its context, StepTimeout and
// TransferTimeout, wherever the server falls silent, and leaves no goroutine behind.
//
// HTTP follows an advertisement that has moved, but with credentials only to the same host, or from
// http to https there: elsewhere ErrNotFound says where it has moved to. Nothing else is followed.
// SSH checks the host against Auth.KnownHosts and nothing else, and knows nothing of the machine's
// own configuration. Auth.Proxy leads all of them but files through a proxy.
//
// # Files
//
// A file uses what stands below it. Git's objects are in internal/object, Git's protocol in
// internal/smart.
//
//   - apply.go: Apply, from the caller's side
//   - worker.go: a lane's worker: one group of calls after the other, one attempt after the other
//   - push.go: the push of a group, and what has become of it
//   - plan.go: the plans of a group, and the commits they become
//   - runplan.go: one run of the user's plan
//   - regroup.go: who may still be in a group when Options are asked again
//   - unknown.go: pushes whose outcome is unknown
//   - group.go: the calls that go into one push
//   - view.go: the Tree that a plan sees
//   - walk.go: the walk through the files of a folder
//   - checkout.go: how a lane comes to the branch's newest commit
//   - scope.go: the same for the trees of some folders only
//   - fetch.go: what is fetched, whole or in part
//   - remote.go: connections to the branch's server
//   - sink.go: the Sink and what it owns
//   - contact.go: what lanes of one repository ask together
//   - cachedcaps.go: fetches without asking the server first what it can do
//   - rounds.go: how those who want the same find together
//   - metrics.go: what is measured
//   - traces.go: the spans of plans and pushes
//   - lane.go: what is known of one remote branch, and who waits for it
//   - ask.go: questions to Options
//   - pushstack.go: commits on top of the branch, with their objects
//   - call.go: one Apply
//   - plaintext.go: credentials that everybody on the way could read
//   - options.go: Options
//   - ratelimit.go: how often a repository is pushed to
//   - secret.go: credentials from a Kubernetes Secret
//   - sign.go: signatures of commits
//   - errors.go: errors and their classes
//   - phrases.go: the words of servers
//   - auth.go: credentials
package gogit
