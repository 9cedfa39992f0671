// Package event says what happened: a change of one Kubernetes object, or the end of a listing, for
// one destination.
//
// # Events
//
// An Event always carries its whole destination, and its identity (ID) names no version and no
// kind, so a new API version of a type moves no file. Make events with FromObject and FromResource,
// which validate them. An Event is a value and its Content is shared: nobody changes either once it
// was made. No String, no log and no error of this package shows the content of an object.
//
// # Content
//
// Sanitize removes from an object what the server owns, and nothing else: it works by a deny list,
// so fields that it does not know survive. Encode writes what is left as canonical YAML: equal
// objects have equal bytes, in any process and on any machine. Content does both, once for all
// destinations of a change.
//
// # Secrets
//
// A core v1 Secret is refused with ErrSecret unless there is an Encryptor. No option allows plain
// text. The resource says whether an object is encrypted, so a Secret that comes under another
// resource is refused as well.
//
// # Layout
//
// A Layout says which file an object is kept in, and which part of the cluster a file belongs to.
// DefaultLayout is {namespace|_cluster}/{resource[.group]}/{name}.yaml.
//
// # Inventory
//
// A SeedSync event says that a listing is complete. It carries an Inventory, which is asked what
// lives at the moment at which files are removed. NewInventory makes one from informers.
//
// # Concurrency
//
// All functions may be called concurrently. Nothing in this package starts a goroutine or does I/O.
package event
