package object

import (

	//nolint:gosec // what a pack ends with

	"github.com/go-git/go-git/v5/plumbing"
)

// object is a Git object that is not stored anywhere yet.
type Object struct {
	Kind plumbing.ObjectType
	Hash plumbing.Hash
	Data []byte
	from plumbing.Hash // of a tree: the one that it takes the place of; zero: none
}

func New(kind plumbing.ObjectType, data []byte) Object {
	return Object{Kind: kind, Hash: plumbing.ComputeHash(kind, data), Data: data}
}
