package gitsink

import (
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/orphan"
)

// Policy is what somebody allows in the folder of a destination. The zero value is the default: the
// limits of package orphan, and nothing beyond them.
//
// A Writer asks for it once in each run of a plan, so the whole run goes by one snapshot. What was
// withdrawn before a run is not used by it.
type Policy struct {
	// Orphans bound the removal of files, both of those that have lost their object and of those
	// that are pruned. Faulty ones fail the plan with queue.ErrPermanent. Default: orphan's
	// defaults.
	Orphans orphan.Options
	// Approval lets the sweep of a SeedSync pass the limit. Default: none.
	Approval orphan.Approval
	// Adopt takes over a folder that is not ours. The files of one that was begun with another
	// layout are moved. Default: false.
	Adopt bool
	// Layout is that of the folder. Default: WriterOptions.Layout.
	Layout event.Layout
	// Kustomization keeps a KustomizationFile in each folder with files of ours. It lists them and
	// the folders below, so that kustomize and Flux can build the base folder. One that somebody
	// else wrote is left as it is, and reported. Default: false, and a SeedSync removes those that
	// are ours.
	Kustomization bool
	// Prune orders the removal of the files that no rule covers any more, and is the approval for
	// it. It counts where there is a SeedSync. Default: nil, so they stay and are reported.
	Prune *orphan.Approval
	// Token comes back in the Report of the plan that landed. Whoever gives an approval once
	// numbers what he gives, sets Token to the last number, and takes back what the Report says was
	// used: all that was given up to its Token, and nothing that was given since. Default: 0.
	Token uint64
}
