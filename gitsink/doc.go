// Package gitsink turns batches of events into commits on a branch.
//
// A Writer takes a batch from a queue and makes a plan of it: the commits that the events come to
// on the files of one base folder. A GitSink applies the plan to the newest commit of the branch
// and pushes; package gogit has one. If somebody else pushes meanwhile, the sink runs the plan
// again on what it finds then. What became of a batch is a Report; a Status adds the Reports up.
//
//	queue.Batch -> Writer -> Plan -> GitSink -> Git server
//	                 |  ^
//	            Report  Policy
//
// # Guarantees
//
//   - Apply commits on the newest remote commit of the branch or not at all. A plan is run on the
//     tree that its commits build on; if somebody else pushes meanwhile, it is run again on theirs.
//     Nobody's commit is lost, and nothing is merged by lines.
//   - nil from Apply means that the remote has what the plan wanted.
//   - Nothing outside the base folder is touched, nor anything in it that the plan does not name.
//   - Content that is there already makes no commit.
//   - A Writer folds the events of a batch in their order. One object that cannot be written is
//     left out and reported; the others are written. A v1 Secret is encrypted or left out, also
//     when it comes under another resource, and so is what its event or WriterOptions call
//     sensitive. An Encryptor that panics, or returns nothing, the plain text or the plain value of
//     a sensitive field, is refused with ErrEncryptor for that object.
//   - Names of objects are quoted in commit messages: none can become a trailer, a mention, or a
//     subject's "[skip ci]".
//   - Each run of a plan first asks whether the lease of the batch is still held: a worker that
//     lost it never writes old content over new.
//   - Each run of a plan then asks for the Policy, once, and goes by it alone. The Report has the
//     Token of the Policy of the run that landed.
//   - A folder has one owner on a branch, whom the OwnerFile names. Another owner's folder is
//     refused with ErrOwned, unless the file came along from another branch, by branching or
//     merging. In a folder that held files when we first wrote to it, nothing is swept or pruned
//     before it is adopted.
//   - Only a regular file of at most 4 KiB says whose a folder is: a flat mapping, without aliases.
//   - A folder that was begun with another layout is refused with ErrOwned. When it is adopted, the
//     plan of a SeedSync moves the files of living objects, in a commit that needs no content. The
//     OwnerFile names the former layout until nothing is left of it. A file that two layouts could
//     have written stays while one of them may mean a living object.
//   - With Policy.Kustomization each folder with files of ours has a KustomizationFile, which
//     changes only with a commit that adds or removes a file. Nobody else's is touched.
//   - A folder below ours that has an OwnerFile of its own is left alone: nothing in it is written,
//     deleted, swept or pruned. If that keeps files from being deleted or looked at, the Report
//     names the folder (Excluded).
//   - What no rule covers any more is pruned only by order (Policy.Prune), in a commit of its own,
//     and only files that name the object that the layout keeps at their path. Ownership, adoption,
//     the policy Never and the limit hold for it.
//   - Commits grouped by author keep the order of the events: a new commit begins where the author
//     changes.
//   - The plan of a SeedSync compares what lives at that moment with the tree that the batch's own
//     changes leave, by the Git names of the files: it reads none. It tells the Inventory what is
//     missing or different and may be written; Report.Different counts that.
//   - Orphans are looked for on the same tree, and only when the Inventory has nothing to send
//     first. The Inventory hears of a plan that has landed.
//
// # Concurrency
//
// Sinks and Writers may be used by any number of goroutines. A Plan is called by one goroutine at a
// time; its Tree is valid only during the call.
//
// # Errors
//
// Apply returns an *Error with the operation, the destination and the server's own words. Use
// errors.Is with ErrAuth, ErrNoCredentials, ErrPlainText, ErrProtected, ErrRejected, ErrNotFound,
// ErrPath, ErrOwned, ErrTooLarge, ErrUnavailable, ErrConflict and ErrUnknown; an error that matches
// queue.ErrPermanent stays until somebody acts. No error holds credentials.
//
// The sink plans again when the branch has moved, and finds out what became of a push whose answer
// was lost; it does not wait for a server that is down. The queue does, with backoff. Nobody else
// tries again.
//
// # Implementing your own
//
// A GitSink may be anything that can show a tree and take a list of commits. It must call the plan
// with a tree as new as its store can tell, never call it concurrently with itself, apply the
// commits of one call all or none, and not keep the tree or the commits. A Change may copy a file
// of that tree (From), which need not be read. FolderTree makes a Tree of a folder.
package gitsink
