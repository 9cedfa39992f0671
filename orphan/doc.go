// Package orphan tells which files have lost their object.
//
// Find compares the files of a folder with what lives in the cluster. It is a pure function: it reads no repository and no
// cluster, and removes nothing.
//
// A file is an orphan if all of this is true:
//
//   - The layout could have written it. Everything else in the folder belongs to someone else.
//   - Its type and namespace lie in a scope of the event.Snapshot, so they were listed completely and may be pruned. What was
//     not listed, or only in part, is never an orphan.
//   - It is not the path of anything that the Snapshot says lives there.
//
// A mistake in a rule or a cluster that was rebuilt must not empty a folder: if too many files would go at once, Find
// returns none of them and an error that matches ErrTooMany, until somebody approves. An approval (Options.ApprovedFor) is
// for the files that an earlier search found: if any other would go too, the limit counts again.
//
// Uncovered finds what is left behind when a rule is removed or a type is gone: files of types and namespaces that no rule
// covers any more. They are no orphans, since nobody knows what lives there; they stay until somebody asks for their
// removal. In doubt a type counts as covered.
package orphan
