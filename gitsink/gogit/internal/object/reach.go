package object

// Of returns what a pack holds of some commits and trees, and of what these reach: a pack that was
// asked for by several holds what is for others, too. What is damaged leads nowhere, as does what
// is not in the pack; whoever takes it finds out.
func (u *Unpacked) Of(wants []ID) Unpacked {
	var got Unpacked
	pending := append([]ID(nil), wants...)
	for len(pending) > 0 {
		id := pending[len(pending)-1]
		pending = pending[:len(pending)-1]
		if text, ok := u.Commits.Get(id); ok {
			got.Commits.Set(id, text)
			if root, err := RootOf(id.format, text); err == nil {
				pending = append(pending, root)
			}
		}
		tree, ok := u.Trees.Get(id)
		if !ok || got.Trees.Has(id) {
			continue
		}
		got.Trees.Set(id, tree)
		for e, err := range Entries(id.format, tree) {
			if err == nil && e.IsTree() {
				pending = append(pending, e.ID())
			}
		}
	}
	return got
}
