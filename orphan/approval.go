package orphan

// Approval lets a search pass the blast-radius limit. It is given for one search and then used up,
// so it is no part of Options, which last. The zero value approves nothing.
type Approval struct {
	// Seen are files that an earlier search found. They may go, and so may any part of them. If a
	// single other file would go too, the limit counts for all.
	Seen *Found
	// All approves whatever the search finds.
	All bool
}

func (a Approval) includes(paths []string) bool { return a.All || a.Seen.Includes(paths) }
