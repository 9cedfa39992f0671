package object

import (
	"unsafe"

	"github.com/go-git/go-git/v5/plumbing"
)

// Object is a Git object that is not stored anywhere yet. Nobody changes its Data, but for that of
// a blob, which is the plan's.
type Object struct {
	Data []byte
	Hash ID
	From ID // of a tree: the one that it takes the place of; zero: none
	Kind plumbing.ObjectType
}

// Text returns the content of a tree or a commit, without a copy.
func (o *Object) Text() string { return unsafe.String(unsafe.SliceData(o.Data), len(o.Data)) }

// New makes an object of its content, in a format.
func New(f Format, kind plumbing.ObjectType, data []byte) Object {
	return Object{Kind: kind, Hash: f.Name(kind, data), Data: data}
}
