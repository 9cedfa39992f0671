package gitsink

// Report is what became of one destination's part of a batch.
type Report struct {
	// Status is what the batch found out. Of a batch that failed it has the Destination and Err
	// alone.
	Status
	Result  Result
	Adopted bool    // the folder is ours
	Removed int     // the number of orphans that were removed
	Pruned  *Pruned // what became of an order to prune; nil if there was none
	Token   uint64  // of the Policy by which the plan was made that landed; 0 if none did
}

// Swept reports whether a SeedSync was carried out, held deletions apart.
func (r Report) Swept() bool { return !r.LastSeed.IsZero() }

// Pruned is what became of an order to prune.
type Pruned struct {
	Removed int
	// Err is why nothing was removed: ErrUnadopted, orphan.ErrNever, or an error that matches
	// orphan.ErrTooMany.
	Err error
}
