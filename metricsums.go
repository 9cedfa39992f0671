package kubescribe

import (
	"errors"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/event/source"
	"github.com/kubescribe/kubescribe/gitsink"
)

// sums are what a collection reads of all destinations. Of those without an attribute of their own
// they are the sums. A name is "" where no destination has one.
type sums struct {
	destinations map[verdictOf]int64
	files        map[string]counted
	leftOut      map[leftOutOf]int64
}

type verdictOf struct {
	name   string
	reason Reason
}

type leftOutOf struct{ name, reason string }

// counted are numbers of files.
type counted struct{ held, unadopted, uncovered, excluded int64 }

// sum sums up a status. What nobody has is 0, so that a series that an alert looks at is always
// there.
func (s *measures) sum(st Status) sums {
	all := sums{destinations: map[verdictOf]int64{}, files: map[string]counted{}, leftOut: map[leftOutOf]int64{}}
	refs := make([]destination.Ref, 0, len(st.Destinations))
	for ref := range st.Destinations {
		refs = append(refs, ref)
	}
	own, rest := ownOf(refs, s.own), ""
	if s.own > 0 {
		rest = other
	}
	for _, reason := range allReasons {
		all.destinations[verdictOf{rest, reason}] = 0
	}
	all.add(rest, nil)
	for ref, one := range st.Destinations {
		name := rest
		if own[ref] {
			name = ref.String()
		}
		_, reason, _ := one.Ready()
		all.destinations[verdictOf{name, reason}]++
		all.add(name, &one)
	}
	return all
}

// add adds the files and objects of a destination; nil adds none.
func (all *sums) add(name string, st *DestinationStatus) {
	for _, reason := range leftOutReasons {
		all.leftOut[leftOutOf{name, reason}] += 0
	}
	n := all.files[name]
	if st != nil {
		if st.Held != nil {
			n.held += int64(st.Held.Count)
		}
		if st.Uncovered != nil {
			n.uncovered += int64(st.Uncovered.Count)
		}
		if st.Excluded != nil {
			n.excluded += int64(st.Excluded.Count)
		}
		n.unadopted += int64(len(st.Unadopted))
		for _, one := range st.Watch.Refused {
			all.leftOut[leftOutOf{name, leftOutReason(one.Err)}]++
		}
		for _, one := range st.Skipped {
			all.leftOut[leftOutOf{name, leftOutReason(one.Err)}]++
		}
		unknown := st.Watch.RefusedCount - len(st.Watch.Refused) + max(st.SkippedCount-len(st.Skipped), 0)
		all.leftOut[leftOutOf{name, leftOutUnknown}] += int64(unknown)
	}
	all.files[name] = n
}

// Why an object is left out, as the attribute "reason" of kubescribe.left_out has it.
const (
	leftOutSecret    = "secret"    // sensitive, and there is no Encryptor
	leftOutEncryptor = "encryptor" // the Encryptor is broken
	leftOutPath      = "path"      // its path cannot be written
	leftOutTooLarge  = "too_large"
	leftOutMismatch  = "mismatch" // it is not of the type that was asked for
	leftOutOther     = "other"
	leftOutUnknown   = "unknown" // it is not among the first hundred of its destination
)

var leftOutReasons = []string{
	leftOutSecret, leftOutEncryptor, leftOutPath, leftOutTooLarge, leftOutMismatch, leftOutOther, leftOutUnknown,
}

func leftOutReason(err error) string {
	for _, of := range []struct {
		class  error
		reason string
	}{
		{event.ErrSecret, leftOutSecret},
		{gitsink.ErrEncryptor, leftOutEncryptor},
		{gitsink.ErrPath, leftOutPath},
		{gitsink.ErrTooLarge, leftOutTooLarge},
		{source.ErrMismatch, leftOutMismatch},
	} {
		if errors.Is(err, of.class) {
			return of.reason
		}
	}
	return leftOutOther
}
