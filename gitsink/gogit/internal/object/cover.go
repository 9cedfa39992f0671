package object

import (
	"fmt"
	"maps"
	"slices"
)

// Covers reports whether the store has all of the folders at its tip.
func (s *Store) Covers(folders []string) bool {
	if s.Complete {
		return true
	}
	single, whole, err := s.Missing(s.Root, folders)
	return err == nil && len(single) == 0 && len(whole) == 0
}

// Missing returns the trees that are wanted next to have all of the folders below root: the first
// one that is missing on the way to a folder, and those below a folder whose parents are here. A
// folder itself is wanted whole if nothing was known of it before. A folder that is no folder has
// nothing to want: the plan's error is for the view to make.
func (s *Store) Missing(root ID, folders []string) (single, whole []ID, err error) {
	ones, wholes := map[ID]bool{}, map[ID]bool{}
	for _, folder := range folders {
		hash, arrived := s.walk(root, folder)
		switch {
		case hash.IsZero():
		case !arrived:
			ones[hash] = true
		case s.closed.Has(hash):
			s.folders[folder] = true
		case !s.has(hash) && !s.folders[folder]:
			wholes[hash] = true
		default:
			below := map[ID]bool{}
			if err := s.below(hash, below); err != nil {
				return nil, nil, err
			}
			maps.Copy(ones, below)
			if len(below) == 0 {
				s.folders[folder] = true
			}
		}
	}
	return slices.Collect(maps.Keys(ones)), slices.Collect(maps.Keys(wholes)), nil
}

// walk goes from root towards a folder. If it arrives, hash is the folder's tree, which need not
// be here, or zero: there is none. Else it is the tree on the way that is missing.
func (s *Store) walk(root ID, folder string) (hash ID, arrived bool) {
	hash = root
	for name := range Components(folder) {
		if !s.has(hash) {
			return hash, false
		}
		tree, _ := s.Trees.Get(hash)
		e, ok := Lookup(hash.format, tree, name)
		if !ok || !e.IsTree() {
			return ID{}, true
		}
		hash = e.ID()
	}
	return hash, true
}

// below collects the trees that are missing at or below hash. Without any, all of them are
// closed: with a closed tree everything below it is here, so that nobody has to look again. Each
// tree is looked into once, however often it stands there, and on a work list: the depth is
// somebody else's to choose.
func (s *Store) below(hash ID, missing map[ID]bool) error {
	type visit struct {
		hash ID
		left string // of the tree
		open bool   // a tree is missing in it
	}
	var found Map[bool] // trees that were left, and whether one is missing in them
	var way []visit
	// enter reports whether something is missing at a tree that need not be looked into.
	enter := func(hash ID) (open bool) {
		tree, here := s.Trees.Get(hash)
		open, known := found.Get(hash)
		switch {
		case known:
			return open
		case s.closed.Has(hash):
			return false
		case !here:
			missing[hash] = true
			return true
		}
		way = append(way, visit{hash: hash, left: tree})
		return false
	}
	open := enter(hash)
	for len(way) > 0 {
		last := &way[len(way)-1]
		last.open = last.open || open
		if last.left == "" {
			open = last.open
			found.Set(last.hash, open)
			if !open {
				s.closed.Set(last.hash, true)
			}
			way = way[:len(way)-1]
			continue
		}
		e, rest, ok := cutEntry(last.hash.format, last.left)
		if !ok {
			return fmt.Errorf("tree %s: %w", last.hash, ErrDamaged)
		}
		if last.left = rest; e.IsTree() {
			open = enter(e.ID())
		}
	}
	return nil
}
