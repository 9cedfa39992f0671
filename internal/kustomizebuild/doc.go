// Package kustomizebuild holds the kustomizations that gitsink writes against the real kustomize:
// it builds each folder, and what comes out are the objects that were written. It is a module of
// its own, since kustomize draws many packages.
package kustomizebuild
