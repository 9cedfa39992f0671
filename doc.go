// Package kubescribe writes what happens in a Kubernetes cluster down in Git.
//
// A Mirror is the whole flow wired together, for embedding in an operator. It lists and watches the
// objects that its rules select, and sends each change to the destinations that want it: a
// destination is a repository, a branch and a base folder in it. Each destination has a queue of
// its own, from which its changes are committed and pushed. The first listing, and the removal of
// files whose object is gone, belong to it. The parts are packages of their own and can be used
// alone.
//
//	cluster -> event/source -> queue -> gitsink -> gitsink/gogit -> Git server
//	               ^                      ^
//	            ruleset                 orphan
//
// # The map, in the order in which data flows
//
//   - destination: where changes go. Resolve makes complete, valid destinations from configuration.
//   - event: what happened. An Event always has its whole destination. Sanitising, encoding,
//     layout.
//   - ruleset: which changes go where, with the semantics of admission rules; ruleset/manifest
//     reads rules from files; ruleset/cel, a module of its own, has conditions in CEL.
//   - event/source: the cluster as a source of events: lists, watches, and keeps a ledger of what
//     lives. event/source/clustertest is an API server in the process, for tests.
//   - queue: a line for each destination, in memory, bounded; a Runner that hands batches to a
//     handler.
//   - orphan: which files have lost their object.
//   - gitsink: the interface of what writes commits, and the Writer that turns batches into plans
//     for it.
//   - gitsink/gogit: the sink on go-git, without a working copy and without a kept clone.
//   - gitsink/sops, a module of its own: encrypts Secrets in the format of SOPS, with age.
//   - gitsink/gitsinktest: the kits that every sink and Encryptor passes; gitsink/gitservertest: a
//     real Git server for tests.
//
// # Guarantees
//
//   - No event exists without its whole destination.
//   - At every quiet moment the folder of a destination equals what its rules select of the
//     cluster, held deletions apart; whatever was missed, a restart or a failure of the remote
//     included.
//   - Only files that the layout could have written, of types and namespaces that were listed
//     completely, are removed. That is never outside the base folder, never more than the limit at
//     once without approval, and never in a folder that belongs to another cluster or was not
//     adopted.
//   - An approval is for the files that the status showed, and for one sweep. It is used by plans
//     that run after it was given, and consumed by the one that lands.
//   - What no rule covers any more stays, and is shown, until Prune is called.
//   - Nobody's commit is lost: a push succeeds only if the branch is where the plan was made on.
//   - Secrets are never written in plain text.
//
// # Non-goals
//
// Nothing is read back from Git into the cluster. Versions of an object between two looks at it are
// not recorded: this is a mirror, not an audit log. There is no working copy, and no merge by
// lines.
package kubescribe
