// Package event has the changes that are written to Git: an Event is a change of one Kubernetes
// object for one destination, or the end of a listing (SeedSync).
//
//   - FromObject and FromResource make events, and check them.
//   - Sanitize removes what the server owns; Encode writes the rest as canonical YAML; ContentOf
//     does both.
//   - Ignored leaves more fields out: by JSON pointer, by globs of labels and annotations, by the
//     field managers that own them.
//   - Layout gives each object the path of its file.
//   - Inventory answers at the end of a listing which objects live, and what their files hold.
//   - Encryptor encrypts Secrets, and what else is Sensitive. Without one these are refused.
//
// An Event always carries its whole destination. Its identity (ID) has no version and no kind, so a
// new API version of a type moves no file. An Event is a value and its Content is shared: nobody
// changes either once it was made. No String, no log and no error of this package shows the content
// of an object.
//
// # Content
//
// Sanitize removes from an object what the server owns, and nothing else: it works by a deny list,
// so fields that it does not know survive. Encode writes what is left as canonical YAML: equal
// objects have equal bytes, in any process and on any machine. ContentOf does both, once for all
// destinations of a change. A Content has the names that Git gives to it, in SHA-1 and SHA-256,
// which are computed once; a Digest has the beginnings of both.
//
// # Secrets
//
// A core v1 Secret is refused with ErrSecret unless there is an Encryptor, and so is every object
// that is Sensitive. No option allows plain text. The resource says whether an object is a Secret,
// so a Secret that comes under another resource is refused as well.
//
// # Layout
//
// A Layout gives the path of the file of an object, and the collection that a path belongs to.
// DefaultLayout is {namespace|_cluster}/{resource[.group]}/{name}.yaml. There are ByTypeLayout,
// FlatLayout for one namespace, and templates: ParseLayout. Each can be made again by its name.
// Package eventtest checks a layout of your own.
//
// # Inventory
//
// A SeedSync says that a listing is complete. It carries an Inventory, which is asked when the plan
// runs: which objects live at that moment, and the digests of what their files should hold. The
// plan tells it what differs, which the source sends again; if nothing does, files without an
// object are removed. NewInventory makes one from informers.
//
// # Concurrency
//
// All functions may be called concurrently. Nothing in this package starts a goroutine or does I/O.
package event
