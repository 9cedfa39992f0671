package gitsink

import (
	"fmt"
	"hash/maphash"
	"slices"

	"github.com/kubescribe/kubescribe/event"
)

// MaxSkipped bounds the objects of which is known why they were left out. Of others, only the
// number is known.
const MaxSkipped = 100

// Skipped is an object that was left out of a commit.
type Skipped struct {
	Resource event.Resource
	Err      error
	Retry    bool // it goes back into its line
}

var skippedSeed = maphash.MakeSeed()

// left are objects by a hash of their ID, sorted, none twice: a folder that cannot be written may
// have a hundred thousand. A left that was handed out never changes.
type left []uint64

func (l left) has(id uint64) bool {
	_, is := slices.BinarySearch(l, id)
	return is
}

// leftOf sorts the hashes of objects.
func leftOf(ids []uint64) left {
	slices.Sort(ids)
	return slices.Compact(ids)
}

func idHash(id event.ID) uint64 { return maphash.Comparable(skippedSeed, id) }

// skips gathers what one run of a plan leaves out.
type skips struct {
	first []Skipped
	all   []uint64
	again []error // of those that are tried again, MaxSkipped at most
}

func (s *skips) add(one Skipped) {
	s.all = append(s.all, idHash(one.Resource.ID))
	same := func(known Skipped) bool { return known.Resource.ID == one.Resource.ID }
	if i := slices.IndexFunc(s.first, same); i >= 0 {
		s.first[i] = one // a change and the seed behind it say the same
	} else if len(s.first) < MaxSkipped {
		s.first = append(s.first, one)
	}
	if one.Retry && len(s.again) < MaxSkipped {
		s.again = append(s.again, fmt.Errorf("%s: %w", one.Resource.ID, one.Err))
	}
}

// withSkipped returns what is left out after a batch, of which found is known. A sweep has looked
// at all objects; another batch tells only of those that it tried.
func (s Status) withSkipped(found Status, swept bool) (first []Skipped, all left) {
	if swept || len(s.skipped) == 0 {
		return found.Skipped, found.skipped
	}
	for _, known := range s.Skipped {
		if !found.tried.has(idHash(known.Resource.ID)) {
			first = append(first, known)
		}
	}
	first = append(first, found.Skipped...)
	still := slices.DeleteFunc(slices.Clone(s.skipped), found.tried.has)
	return first[:min(len(first), MaxSkipped)], leftOf(append(still, found.skipped...))
}
