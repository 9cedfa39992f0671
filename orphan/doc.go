// Package orphan finds the files that have lost their object.
//
// Find compares the files of a folder with what lives in the cluster. It is a pure function: it
// reads no repository and no cluster, and removes nothing.
//
// A file is an orphan if all of this is true:
//
//   - The layout could have written it. Everything else in the folder belongs to somebody else.
//   - Its type and namespace lie in a collection of the event.Snapshot, so they were listed
//     completely. What was not listed, or only in part, is never an orphan.
//   - It is not the path of an object that lives, as the Snapshot has it.
//
// # The limit
//
// A mistake in a rule, or a cluster that was rebuilt, must not empty a folder. If too many files
// would go at once, Find returns none of them and an error that matches ErrTooMany. An Approval
// lets a search pass this limit: it is for the files that an earlier search found, and if any other
// file would go too, the limit counts again. Options last, an Approval is for one search: who keeps
// one and gives it to every search has no limit.
//
// # Uncovered files
//
// Uncovered finds what is left behind when a rule is removed or a type is gone: files of types and
// namespaces that no rule covers any more. They are no orphans, since nobody knows what lives
// there. They stay until somebody orders their removal. In doubt a type counts as covered.
package orphan
