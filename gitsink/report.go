package gitsink

// Report is what became of one destination's part of a batch.
type Report struct {
	// Status is what the batch found out. Of a batch that failed it has the Destination and Err
	// alone.
	Status
	Result  Result
	Adopted bool // the folder is ours
	Removed int  // the number of orphans that were removed
	Moved   int  // the number of files that were moved from another layout
	// Different is the number of objects whose file a SeedSync found missing or different. They are
	// on their way, and files without an object go when they are written.
	Different int
	Pruned    *Pruned // what became of an order to prune; nil if there was none
	Token     uint64  // of the Policy by which the plan was made that landed; 0 if none did
}

// Swept reports whether a SeedSync was carried out to its end, held deletions apart: nothing was
// different, and files without an object were looked for.
func (r Report) Swept() bool { return !r.LastSeed.IsZero() }

// Pruned is what became of an order to prune.
type Pruned struct {
	Removed int
	// Err is why nothing was removed: ErrUnadopted, orphan.ErrNever, or an error that matches
	// orphan.ErrTooMany.
	Err error
}
