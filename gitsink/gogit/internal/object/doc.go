// Package object reads and writes Git objects in memory: blobs, trees, commits, and packs of
// them. It knows no server, and no file system.
//
// A repository names its objects by SHA-1 or by SHA-256, its Format. An ID is a name in either:
// only this package knows its width.
//
// # Files
//
// A file uses what stands below it.
//
//   - edit.go: changes of trees
//   - cover.go: the trees that a Store lacks of some folders
//   - reach.go: what a commit reaches in a pack
//   - commitobject.go: commit objects
//   - store.go: what is known of a branch: the trees of one commit, and small files
//   - unpack.go: packs as they arrive
//   - packreader.go: a pack, object by object
//   - names.go: names in a tree that no path can have
//   - pack.go: packs that are sent
//   - deflate.go: contents as packs have them
//   - delta.go: trees as what is different from others
//   - find.go: entries and folders by their names
//   - tree.go: the entries of a tree
//   - object.go: an object that is not stored anywhere yet
//   - map.go: values by the names of objects
//   - id.go: the names of objects, and their formats
//   - paths.go: paths, and what is wrong with them
//   - limit.go: what is larger than it may be
package object
