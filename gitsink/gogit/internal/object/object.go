package object

import "github.com/go-git/go-git/v5/plumbing"

// Object is a Git object that is not stored anywhere yet.
type Object struct {
	Data []byte
	Hash ID
	From ID // of a tree: the one that it takes the place of; zero: none
	Kind plumbing.ObjectType
}

// New makes an object of its content, in a format.
func New(f Format, kind plumbing.ObjectType, data []byte) Object {
	return Object{Kind: kind, Hash: f.Name(kind, data), Data: data}
}
