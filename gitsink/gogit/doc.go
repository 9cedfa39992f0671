// Package gogit is a gitsink.GitSink on go-git that commits and pushes without a working copy, without an index and
// without a kept clone: everything is done on Git objects in memory.
//
// # Guarantees
//
//   - Apply runs the plan on the newest commit that the server advertises, and pushes with that commit as the old value: if
//     the branch is at anything else by then, the server refuses, and the plan is run again on what is there. So nobody's
//     commit is overwritten, and nothing is merged.
//   - Only changed files, the trees on the way to them and the commits are written. Everything else in the repository, of
//     any name and mode, is carried through byte for byte. An executable file stays executable. A folder goes with its last
//     file.
//   - What is there already is recognised by its hash; a commit whose tree equals its parent's is left out, and without
//     commits nothing is pushed.
//   - All paths are checked by destination.ValidatePath before anything else is done, and names, addresses and messages are
//     cleaned, so git fsck --strict accepts what is written. Times are in UTC. An empty message becomes "update".
//   - A symbolic link or submodule is never followed nor overwritten, and a folder never replaced by a file while something
//     is in it: ErrPath. So is a base folder that is no folder. Removing a path that leads through one of them, or through
//     a file, removes nothing.
//   - An empty repository gets a root commit. A missing branch starts with the default branch's commit, so with all of its
//     files; if there is no default branch (its HEAD leads nowhere), with a root commit. Branches that others push to by
//     force, delete or make anew are fetched again.
//   - A push whose outcome is unknown (ctx ended, connection lost, empty answer) is looked for on the branch: if it is
//     there, Apply succeeds; if ctx is alive, the plan is run again on what is there; else, or if the branch cannot be
//     read, or if this happens twice in a row with an unmoved branch, the error matches ErrUnknown. When ctx ends, Apply
//     returns within 10 seconds, even if go-git does not.
//   - A missing object is an error, never an empty folder.
//
// # Cost
//
//	Apply                              requests
//	nothing to change, nobody pushed   1   the advertisement for a push
//	commit, nobody else pushed         2   and the push
//	somebody else pushed               +2  the advertisement for a fetch, and the fetch of what is new
//	the first time                     +2  likewise, of all trees of one commit, without files (filter blob:none)
//	Tree.Read                          +2  for all files of a call that are not in the cache
//	a push refused or unknown          +1  a look at the branch
//
// Time and memory of a commit depend on the size of the folders on the way to the changes, not on the number of files or
// commits in the repository. A server without uploadpack.allowFilter sends all files the first time; they are dropped as
// they arrive, and MaxPackBytes bounds it. One without uploadpack.allowAnySHA1InWant sends all files for a Tree.Read; they
// are held in memory for the call.
//
// # Concurrency and what calls share
//
// A Sink may be used concurrently. Calls for one lane (destination.Lane) run one after another; a call that waits honours
// its ctx, and calls for different lanes never wait for each other. A lane remembers the trees of its newest commit and up
// to about 1 MiB of small files, so that the next call fetches nothing; Options.CacheBytes bounds the lanes that nobody
// uses, and a cache that proves wrong is dropped. Destinations with different credentials share a lane, but every call
// begins with an advertisement for a push under its own: only who may push to the repository is served from the cache.
// Which credentials a destination may use is for Options.Auth to decide.
//
// Result.Foreign compares the folder with what this Sink left there last, so it is false the first time, and after the lane
// was forgotten. A push of unknown outcome that landed later is not taken for somebody else's, as long as it was the last.
//
// # Errors
//
// All errors are *gitsink.Error. The classes that depend on a server's words come from one table in this package; what is
// in none is ErrRejected if the server refused a push, and ErrUnavailable otherwise. Retrying is the caller's: only a moved
// branch and an unknown outcome are dealt with here. No error holds credentials: the secrets of Auth and the user
// information of URLs are masked. Causes are kept as text, so errors of go-git and net/http are not matched.
//
// # Protocols
//
// http, https, ssh, git and file URLs, and paths; file and paths run the git commands upload-pack and receive-pack, the
// others need no git. SSH checks the host against Auth.KnownHosts and nothing else; go-git reads Hostname and Port of the
// user's ~/.ssh/config, and a server that accepts a connection and stays silent keeps a goroutine until the connection
// ends, although Apply returns.
package gogit
