// Package eventtest is a conformance kit for your own Layout.
//
//   - [TestLayout] checks that an event.Layout keeps its contract: one subtest for each promise. A
//     check that fails quotes the sentence that was broken.
//
// The kit is tested itself: the layouts of package event pass it, and layouts that are broken on
// purpose do not. It tries objects with names that Git, a file system or a tool could take for
// something else, in all combinations of two: names in another case, with dots, slashes and
// colons, of 253 bytes, of devices, of files that are instructions.
//
// It asks for what event.Layout says, and a little more:
//
//   - The paths of objects whose names Kubernetes does not allow are sound as well. Collection may
//     not know them, but never says what is wrong.
//   - Collection may return false for an object of a resource and a group of more than 63 bytes
//     each: there a layout may have to cut.
//   - Objects without a resource, without a name, or with a slash in the resource, the group or the
//     namespace are tried too, since events come from outside.
//
// # Concurrency
//
// The methods of the layout are called from several goroutines at once.
package eventtest
