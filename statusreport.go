package kubescribe

import (
	"cmp"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/internal/quote"
	"github.com/kubescribe/kubescribe/orphan"
	"github.com/kubescribe/kubescribe/queue"
	"github.com/kubescribe/kubescribe/ruleset"
)

const (
	maxShown = 200     // destinations, and rules, of one page
	maxItems = 100     // of one list of a destination or a rule
	maxText  = 1 << 10 // bytes of one text from elsewhere
)

// statusReport is what the page shows and what programs get: StatusHandler documents the fields.
// Every text from elsewhere is one line of at most maxText bytes, without credentials. What has no
// name in JSON is for the page alone.
type statusReport struct {
	Time           time.Time           `json:"time"`
	Ready          int                 `json:"ready"`
	NotReady       int                 `json:"notReady"`
	Matching       int                 `json:"matching"`
	DiscoveryError string              `json:"discoveryError,omitempty"`
	Queue          queueReport         `json:"queue"`
	Destinations   []destinationReport `json:"destinations"`
	Rules          rulesReport         `json:"rules"`
	Reasons        []reasonCount       `json:"-"` // of all destinations
}

type queueReport struct {
	Lines   int   `json:"lines"`
	Waiting int   `json:"waiting"`
	InHand  int   `json:"inHand"`
	Bytes   int64 `json:"bytes"`
	Parked  int   `json:"parked"`
}

type reasonCount struct {
	Reason Reason
	Count  int
}

type destinationReport struct {
	Namespace    string       `json:"namespace,omitempty"`
	Name         string       `json:"name"`
	Ready        bool         `json:"ready"`
	Reason       Reason       `json:"reason"`
	Message      string       `json:"message"`
	Repository   string       `json:"repository,omitempty"`
	Branch       string       `json:"branch,omitempty"`
	Folder       string       `json:"folder,omitempty"`
	Tip          string       `json:"tip,omitempty"`
	LastCommit   time.Time    `json:"lastCommit,omitzero"`
	LastSeed     time.Time    `json:"lastSeed,omitzero"`
	Synced       bool         `json:"synced"`
	Approved     bool         `json:"approved"`
	Rules        int          `json:"rules"`
	InvalidRules []string     `json:"invalidRules,omitempty"`
	Error        string       `json:"error,omitempty"`
	BranchError  string       `json:"branchError,omitempty"`
	PruneOrdered bool         `json:"pruneOrdered,omitempty"`
	Line         lineReport   `json:"line"`
	Watch        watchReport  `json:"watch"`
	Held         *filesReport `json:"held,omitempty"`
	Unadopted    *filesReport `json:"unadopted,omitempty"`
	Uncovered    *filesReport `json:"uncovered,omitempty"`
	Excluded     *filesReport `json:"excluded,omitempty"`
	// Kustomizations are those of somebody else in the way of ours.
	Kustomizations *filesReport            `json:"kustomizations,omitempty"`
	LeftOut        *listOf[leftOutReport]  `json:"leftOut,omitempty"`
	NotListed      *listOf[unlistedReport] `json:"notListed,omitempty"`
	Faults         *listOf[faultReport]    `json:"faults,omitempty"`
	Filtered       []string                `json:"filtered,omitempty"`

	Known bool `json:"-"` // it is valid: something can be done with it
}

type lineReport struct {
	Waiting    int       `json:"waiting"`
	InHand     int       `json:"inHand"`
	Bytes      int64     `json:"bytes"`
	Oldest     time.Time `json:"oldest,omitzero"`
	LagSeconds int64     `json:"lagSeconds"`
	Attempts   int       `json:"attempts"`
	Parked     time.Time `json:"parked,omitzero"`
	NextTry    time.Time `json:"nextTry,omitzero"`
	Permanent  bool      `json:"permanent"`
	Error      string    `json:"error,omitempty"`
}

type watchReport struct {
	Collections int    `json:"collections"`
	Complete    int    `json:"complete"`
	Waiting     int    `json:"waiting"`
	SeedDue     bool   `json:"seedDue"`
	Error       string `json:"error,omitempty"`
}

// filesReport stands for files of which a sample is known.
type filesReport struct {
	Count  int      `json:"count"`
	Files  int      `json:"files,omitempty"` // of these many
	Sample []string `json:"sample"`
	Shown  string   `json:"shown,omitempty"` // what an approval of them has to name
}

// listOf has the first items of a list and the number of all.
type listOf[T any] struct {
	Count int `json:"count"`
	Items []T `json:"items"`
}

type leftOutReport struct {
	Object string `json:"object"`
	Error  string `json:"error"`
}

type unlistedReport struct {
	Collection string `json:"collection"`
	Error      string `json:"error"`
}

type faultReport struct {
	Rule     string `json:"rule"`
	Resource string `json:"resource"`
	Error    string `json:"error"`
}

type rulesReport struct {
	Count       int          `json:"count"`
	FaultyCount int          `json:"faultyCount"`
	Faulty      []ruleReport `json:"faulty"`
}

type ruleReport struct {
	Namespace string               `json:"namespace,omitempty"`
	Name      string               `json:"name"`
	Error     string               `json:"error,omitempty"`
	Faults    *listOf[faultReport] `json:"faults,omitempty"`
}

// reporter makes reports.
type reporter struct {
	now     time.Time
	limit   int  // of destinations and rules; zero: none
	actions bool // whoever reads it may act
}

func (r *reporter) report(st Status, rules []namedRule, filter statusFilter) *statusReport {
	report := &statusReport{
		Time: r.now.UTC().Truncate(time.Millisecond), DiscoveryError: gitsink.Brief(st.Err), Rules: r.rules(rules),
		Queue:        queueReport{st.Queue.Lines, st.Queue.Waiting, st.Queue.InHand, st.Queue.Bytes, st.Queue.Parked},
		Destinations: []destinationReport{},
	}
	reasons := map[Reason]int{}
	for _, one := range judge(st.Destinations) {
		reasons[one.reason]++
		if one.ready {
			report.Ready++
		} else {
			report.NotReady++
		}
		if !filter.selects(&one) {
			continue
		}
		report.Matching++
		if r.limit == 0 || report.Matching <= r.limit {
			report.Destinations = append(report.Destinations, r.destination(&one))
		}
	}
	for reason, count := range reasons {
		report.Reasons = append(report.Reasons, reasonCount{reason, count})
	}
	slices.SortFunc(report.Reasons, func(a, b reasonCount) int { return cmp.Compare(a.Reason, b.Reason) })
	return report
}

func (r *reporter) destination(one *judged) destinationReport {
	st, d := &one.st, one.st.Destination
	report := destinationReport{
		Namespace: shown(one.ref.Namespace), Name: shown(one.ref.Name),
		Ready: one.ready, Reason: one.reason, Message: shown(one.message),
		Repository: shown(d.RemoteBranch().Repository), Branch: shown(d.Branch), Folder: shown(d.BaseFolder), Known: d.Branch != "",
		Tip: shown(st.Tip), LastCommit: utc(st.LastCommit), LastSeed: utc(st.LastSeed), Synced: st.Synced, Approved: st.Approved,
		Rules: st.Rules, Error: gitsink.Brief(st.Err), BranchError: gitsink.Brief(st.BranchErr), PruneOrdered: st.PruneOrdered, Line: r.line(&st.Line),
		Watch:     watchReport{st.Watch.Streams, st.Watch.Complete, st.Watch.Waiting, st.Watch.SeedDue, gitsink.Brief(st.Watch.Err)},
		Uncovered: filesOf(st.Uncovered), Excluded: filesOf(st.Excluded), Kustomizations: filesOf(st.Kustomizations),
		LeftOut: reportedLeftOut(st), NotListed: notListedOf(st), Faults: faultsOf(st.Watch.Faults),
	}
	if n := len(st.Unadopted); n > 0 {
		report.Unadopted = &filesReport{Count: n, Sample: linesOf(st.Unadopted)}
	}
	if st.Held != nil {
		report.Held = filesOf(&st.Held.Found)
		report.Held.Files = st.Held.Files
	}
	for _, name := range firstOf(st.InvalidRules) {
		report.InvalidRules = append(report.InvalidRules, shown(refName(name)))
	}
	for _, f := range firstOf(st.Filtered) {
		report.Filtered = append(report.Filtered, shown(f.String()))
	}
	if r.actions && report.Known {
		offer(&report, st)
	}
	return report
}

// offer adds what an approval and an adoption of what is shown have to name. A folder of another
// owner can be adopted without a file to show.
func offer(report *destinationReport, st *DestinationStatus) {
	if report.Held != nil {
		report.Held.Shown = toApprove(st.Destination, st.Status)
	}
	if name := toAdopt(st.Destination, st.Status); name != "" {
		if report.Unadopted == nil {
			report.Unadopted = &filesReport{Sample: []string{}}
		}
		report.Unadopted.Shown = name
	}
}

func (r *reporter) line(s *queue.KeyStats) lineReport {
	line := lineReport{
		Waiting: s.Waiting, InHand: s.InHand, Bytes: s.Bytes, Oldest: utc(s.Oldest), Attempts: s.Attempts,
		Parked: utc(s.Parked), NextTry: utc(s.Until), Permanent: s.Permanent, Error: gitsink.Brief(s.Err),
	}
	if !s.Oldest.IsZero() {
		line.LagSeconds = max(0, int64(r.now.Sub(s.Oldest)/time.Second))
	}
	return line
}

func (r *reporter) rules(all []namedRule) rulesReport {
	report := rulesReport{Count: len(all), Faulty: []ruleReport{}}
	for _, rule := range all {
		if rule.Err == nil && len(rule.Faults) == 0 {
			continue
		}
		report.FaultyCount++
		if r.limit == 0 || report.FaultyCount <= r.limit {
			report.Faulty = append(report.Faulty, ruleReport{
				shown(rule.name.Namespace), shown(rule.name.Name), gitsink.Brief(rule.Err), faultsOf(rule.Faults),
			})
		}
	}
	return report
}

// namedRule is a rule with what is wrong with it.
type namedRule struct {
	name types.NamespacedName
	RuleStatus
}

// ruleStatuses returns what RuleStatus says of each rule of the last SetRules, by name.
func (m *Mirror) ruleStatuses() []namedRule {
	faults := map[types.NamespacedName][]*ruleset.TypeError{}
	for _, fault := range m.watcher.Faults() {
		faults[fault.Rule] = append(faults[fault.Rule], fault)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make([]namedRule, 0, len(m.namedRules))
	for _, name := range m.namedRules {
		all = append(all, namedRule{name, RuleStatus{m.rules.Err(name), faults[name], m.rules.Presets(name)}})
	}
	slices.SortFunc(all, func(a, b namedRule) int { return cmp.Compare(a.name.String(), b.name.String()) })
	return all
}

func reportedLeftOut(st *DestinationStatus) *listOf[leftOutReport] {
	list := listOf[leftOutReport]{Count: st.Watch.RefusedCount + max(st.SkippedCount, len(st.Skipped))}
	for _, one := range firstOf(st.Watch.Refused) {
		list.Items = append(list.Items, leftOutReport{shown(one.ID.String()), gitsink.Brief(one.Err)})
	}
	for _, one := range firstOf(st.Skipped) {
		list.Items = append(list.Items, leftOutReport{shown(one.Resource.ID.String()), gitsink.Brief(one.Err)})
	}
	list.Items = firstOf(list.Items)
	return list.orNil()
}

func notListedOf(st *DestinationStatus) *listOf[unlistedReport] {
	parts := slices.Concat(st.Watch.Incomplete, st.Watch.NotFollowed)
	list := listOf[unlistedReport]{Count: len(parts)}
	for _, one := range firstOf(parts) {
		list.Items = append(list.Items, unlistedReport{shown(one.Collection.String()), gitsink.Brief(one.Err)})
	}
	return list.orNil()
}

func faultsOf(faults []*ruleset.TypeError) *listOf[faultReport] {
	list := listOf[faultReport]{Count: len(faults)}
	for _, one := range firstOf(faults) {
		list.Items = append(list.Items, faultReport{shown(refName(one.Rule)), shown(one.Resource), gitsink.Brief(one.Err)})
	}
	return list.orNil()
}

func (l listOf[T]) orNil() *listOf[T] {
	if l.Items == nil {
		return nil
	}
	return &l
}

func filesOf(found *orphan.Found) *filesReport {
	if found == nil {
		return nil
	}
	return &filesReport{Count: found.Count, Sample: linesOf(found.Sample)}
}

func firstOf[T any](all []T) []T { return all[:min(len(all), maxItems)] }

// linesOf returns the first texts as lines.
func linesOf(texts []string) []string {
	list := make([]string, 0, min(len(texts), maxItems))
	for _, text := range firstOf(texts) {
		list = append(list, shown(text))
	}
	return list
}

// shown returns a text from elsewhere as one line with a bound.
func shown(text string) string {
	if len(text) <= maxText && isPlain(text) {
		return text // most are: to look for more than that costs twenty times as much
	}
	return quote.Cut(quote.Line(text), maxText)
}

// isPlain reports whether a text is visible ASCII, of which quote.Line changes nothing.
func isPlain(text string) bool {
	for i := range len(text) {
		if text[i] <= ' ' || text[i] > '~' {
			return false
		}
	}
	return true
}

func utc(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.UTC().Truncate(time.Millisecond)
}
