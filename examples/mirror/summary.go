package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"

	"github.com/kubescribe/kubescribe"
	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
)

// summary prints the status of each destination. After a dry run, which has printed a diff, it
// prints comments to the diff: which files would stay until somebody adopts, approves or prunes.
func (f *flags) summary(m *kubescribe.Mirror, stdout io.Writer) {
	status := m.Status()
	if status.Err != nil {
		fmt.Fprintln(stdout, f.comment()+"note:", status.Err)
	}
	var refs []destination.Ref
	for ref := range status.Destinations {
		refs = append(refs, ref)
	}
	slices.SortFunc(refs, func(a, b destination.Ref) int { return cmp.Compare(a.String(), b.String()) })
	for _, ref := range refs {
		if f.dryRun {
			describeFaults(stdout, "# "+ref.String()+": ", status.Destinations[ref])
			describeKept(stdout, "# "+ref.String()+": ", ref, status.Destinations[ref])
			describeFiltered(stdout, "# "+ref.String()+": ", status.Destinations[ref])
			continue
		}
		describe(stdout, ref, status.Destinations[ref])
	}
}

// comment is what begins a line that stands beside the diff of a dry run.
func (f *flags) comment() string {
	if f.dryRun {
		return "# "
	}
	return ""
}

func describe(w io.Writer, ref destination.Ref, st kubescribe.DestinationStatus) {
	state := "in sync"
	switch ready, reason, _ := st.Ready(); {
	case !st.Synced:
		state = fmt.Sprintf("NOT in sync (%s)", reason)
	case !ready:
		state = fmt.Sprintf("in sync but for what somebody has to decide (%s)", reason)
	}
	fmt.Fprintf(w, "%s: %s, %s at %s\n", ref, state, st.Destination.Branch, short(st.Tip))
	if st.Err != nil {
		fmt.Fprintf(w, "  error: %s\n", gitsink.Brief(st.Err))
	}
	describeFaults(w, "  ", st)
	describeKept(w, "  ", ref, st)
	describeFiltered(w, "  ", st)
	describeLeftOut(w, st)
	for _, part := range st.Watch.Incomplete {
		fmt.Fprintf(w, "  not listed: %s: %v\n", part.Collection, part.Err)
	}
	for _, part := range st.Watch.NotFollowed {
		fmt.Fprintf(w, "  not followed: %s: %v\n", part.Collection, part.Err)
	}
}

// describeFaults prints the types that rules name and do not get.
func describeFaults(w io.Writer, prefix string, st kubescribe.DestinationStatus) {
	for _, fault := range st.Watch.Faults {
		fmt.Fprintf(w, "%sfault: %v\n", prefix, fault)
	}
}

// maxLeftOut is the number of objects that are named. The log and the status page name more.
const maxLeftOut = 10

// describeLeftOut prints the objects that cannot be written.
func describeLeftOut(w io.Writer, st kubescribe.DestinationStatus) {
	known := slices.Concat(st.Skipped, refusedAsSkipped(st))
	named := known[:min(len(known), maxLeftOut)]
	for _, s := range named {
		fmt.Fprintf(w, "  left out: %s: %s\n", s.Resource.ID, gitsink.Brief(s.Err))
	}
	if more := st.Watch.RefusedCount + st.SkippedCount - len(named); more > 0 {
		fmt.Fprintf(w, "  left out: and %d more\n", more)
	}
}

func refusedAsSkipped(st kubescribe.DestinationStatus) []gitsink.Skipped {
	var out []gitsink.Skipped
	for _, r := range st.Watch.Refused {
		s := gitsink.Skipped{Err: r.Err}
		s.Resource.ID = r.ID
		out = append(out, s)
	}
	return out
}

// describeKept prints the files that stay although they have no object, or no rule.
func describeKept(w io.Writer, prefix string, ref destination.Ref, st kubescribe.DestinationStatus) {
	if st.Held != nil {
		fmt.Fprintf(w, "%sheld: %d of %d files have no object any more; delete them with --approve %s\n", prefix, st.Held.Count, st.Held.Files, ref)
		printSample(w, prefix, st.Held.Sample, st.Held.Count)
	}
	if st.Excluded != nil {
		fmt.Fprintf(w, "%sleft alone: %d folders have a %s of their own\n", prefix, st.Excluded.Count, gitsink.OwnerFile)
		printSample(w, prefix, st.Excluded.Sample, st.Excluded.Count)
	}
	if len(st.Unadopted) > 0 {
		fmt.Fprintf(w, "%snot adopted: %d files have no object; delete them with --adopt %s\n", prefix, len(st.Unadopted), ref)
		printSample(w, prefix, st.Unadopted[:min(len(st.Unadopted), 10)], len(st.Unadopted))
	}
	if st.Uncovered != nil {
		fmt.Fprintf(w, "%snot covered: no rule covers %d files any more; delete those that are ours with --once --prune %s\n", prefix, st.Uncovered.Count, ref)
		printSample(w, prefix, st.Uncovered.Sample, st.Uncovered.Count)
	}
}

// describeFiltered prints the files that git add would have run through a filter.
func describeFiltered(w io.Writer, prefix string, st kubescribe.DestinationStatus) {
	if len(st.Filtered) == 0 {
		return
	}
	fmt.Fprintf(w, "%snot filtered: files are written as they are, though a .gitattributes has a filter for them\n", prefix)
	for _, f := range st.Filtered {
		fmt.Fprintf(w, "%s  %s\n", prefix, f)
	}
}

func printSample(w io.Writer, prefix string, paths []string, of int) {
	for _, path := range paths {
		fmt.Fprintf(w, "%s  %s\n", prefix, path)
	}
	if of > len(paths) {
		fmt.Fprintf(w, "%s  and %d more\n", prefix, of-len(paths))
	}
}

func short(commit string) string {
	if commit == "" {
		return "no commit"
	}
	return commit[:min(len(commit), 12)]
}
