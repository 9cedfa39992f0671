package object

import (
	"sync"
	"unsafe"
	"weak"
)

// shared is for all stores: the folders that several destinations have in common are the same
// trees, and those of a hundred thousand files are several megabytes for each branch.
var shared = sharedTrees{texts: map[ID]weakText{}}

const (
	sharedFrom  = 4 << 10 // bytes of a tree that is worth an entry
	sharedSweep = 1024    // entries, below which none are looked for that are of no use any more
)

// sharedTrees knows where the trees lie that any store holds. It holds none of them. It may be used
// concurrently.
type sharedTrees struct {
	mu    sync.Mutex // guards what follows
	texts map[ID]weakText
	live  int // entries that the last sweep left
}

// weakText is a text that lives as long as somebody holds it.
type weakText struct {
	first weak.Pointer[byte]
	n     int
}

func (w weakText) get() (string, bool) {
	first := w.first.Value()
	if first == nil {
		return "", false
	}
	return unsafe.String(first, w.n), true
}

// tree returns a text that is equal to a tree, the one that others hold if there is one.
func (s *sharedTrees) tree(hash ID, tree string) string {
	if len(tree) < sharedFrom {
		return tree
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	// A name is no proof of what is in a tree, so that no store depends upon another's.
	if text, ok := s.texts[hash].get(); ok && text == tree {
		return text
	}
	s.texts[hash] = weakText{weak.Make(unsafe.StringData(tree)), len(tree)}
	if len(s.texts) > max(sharedSweep, 2*s.live) {
		for hash, text := range s.texts {
			if _, ok := text.get(); !ok {
				delete(s.texts, hash)
			}
		}
		s.live = len(s.texts)
	}
	return tree
}
