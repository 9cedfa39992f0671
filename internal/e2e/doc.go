// Package e2e proves the promises of the library as a whole: a Mirror, or the trial binary in a
// process of its own, between an API server and a Git server over HTTP, judged by the git command
// line.
//
// With KUBEBUILDER_ASSETS set (`make e2e` sets it) the API server is the real one; without, it is
// package clustertest, so that the same promises are checked by `go test ./...` on any machine.
// KUBESCRIBE_SOAK=1 asks for the full sizes.
package e2e
