package kubescribe

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event/source"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/orphan"
	"github.com/kubescribe/kubescribe/queue"
)

// lines are what was logged, V(1) included.
type lines struct {
	mu  sync.Mutex
	all []string
}

func (l *lines) logger() logr.Logger {
	return funcr.New(func(_, args string) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.all = append(l.all, args)
	}, funcr.Options{Verbosity: 1})
}

// take returns what was logged since it was asked last.
func (l *lines) take() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer func() { l.all = nil }()
	return strings.Join(l.all, "\n")
}

// reported is a Mirror that does not run, whose reports are made up: what a status adds up to does not depend on time.
type reported struct {
	*Mirror
	ref  destination.Ref
	to   destination.Destination
	logs lines
	told []DestinationStatus
}

func newReported(t *testing.T) *reported {
	t.Helper()
	m := &reported{ref: destination.Ref{Namespace: "default", Name: "prod"}}
	var err error
	m.Mirror, err = New(&rest.Config{Host: "http://127.0.0.1:1"}, &Options{
		Logger: m.logs.logger(), OnStatus: func(_ destination.Ref, st DestinationStatus) { m.told = append(m.told, st) },
	})
	require.NoError(t, err)
	m.move(t, "prod")
	return m
}

// move gives the destination another folder.
func (m *reported) move(t *testing.T, folder string) {
	t.Helper()
	repository := destination.Ref{Namespace: "default", Name: "repo"}
	require.NoError(t, m.SetRules(Rules{
		Repositories: []destination.Repository{{Ref: repository, URL: "https://git.example/org/r.git"}},
		Destinations: []destination.Spec{{Ref: m.ref, RepositoryRef: repository, Branch: "main", BaseFolder: folder}},
	}))
	var ok bool
	m.to, ok = m.set.Get(m.ref)
	require.True(t, ok)
}

// say reports and returns the status that follows, which is what OnStatus is told.
func (m *reported) say(t *testing.T, r gitsink.Report) DestinationStatus {
	t.Helper()
	r.Destination = m.to
	m.report(r)
	st, ok := m.DestinationStatus(m.ref)
	require.True(t, ok)
	require.Equal(t, st, m.told[len(m.told)-1])
	return st
}

func TestTheStatusAddsUpWhatSweepsAndOtherBatchesTell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newReported(t)
		held, found := &orphan.TooManyError{Found: orphan.Found{Count: 11}}, &orphan.Found{Count: 2}
		filters, folders := []gitsink.Filtered{{Filter: "a"}}, &orphan.Found{Count: 1}
		skipped := []gitsink.Skipped{{Err: errors.New("too long")}}
		sweep := gitsink.Report{
			Result: gitsink.Result{Commits: []string{"c"}, Tip: "c"}, Synced: true, Held: held, Unadopted: []string{"u"}, Uncovered: found,
			Filtered: filters, Excluded: folders, Skipped: skipped,
		}
		first := time.Now()
		want := DestinationStatus{
			Destination: m.to, LastSeed: first, LastCommit: first, Tip: "c", Held: held, Unadopted: []string{"u"}, Uncovered: found,
			Filtered: filters, Excluded: folders, Skipped: skipped,
		}
		require.Equal(t, want, m.say(t, sweep))

		time.Sleep(time.Second)
		want.Tip, want.Skipped = "d", nil
		require.Equal(t, want, m.say(t, gitsink.Report{Result: gitsink.Result{Tip: "d"}}), "a batch that had nothing to write tells no more")

		down := errors.New("down")
		want.Err = down
		require.Equal(t, want, m.say(t, gitsink.Report{Err: down, Synced: true}), "nor does one that failed")

		met, more := []gitsink.Filtered{{Filter: "b"}}, &orphan.Found{Count: 3}
		want.Err, want.Filtered, want.Excluded = nil, slices.Concat(filters, met), more
		want.LastCommit = time.Now()
		require.Equal(t, want, m.say(t, gitsink.Report{
			Result: gitsink.Result{Commits: []string{"e"}, Tip: "d"}, Filtered: met, Excluded: more,
		}), "what it met itself comes beside the rest")
		require.Equal(t, want, m.say(t, gitsink.Report{Result: gitsink.Result{Tip: "d"}, Filtered: met, Excluded: folders}), "once")

		cleared := DestinationStatus{Destination: m.to, LastSeed: time.Now(), LastCommit: want.LastCommit, Tip: "d"}
		require.Equal(t, cleared, m.say(t, gitsink.Report{Result: gitsink.Result{Tip: "d"}, Synced: true}), "a sweep has looked at all")
	})
}

func TestAReportOfWhatADestinationWasBeforeIsNotItsStatus(t *testing.T) {
	m := newReported(t)
	m.say(t, gitsink.Report{Result: gitsink.Result{Tip: "c"}, Synced: true})
	before := m.to
	m.move(t, "prod")
	st, _ := m.DestinationStatus(m.ref)
	require.Equal(t, "c", st.Tip, "the same rules again forget nothing")
	m.move(t, "elsewhere")
	st, _ = m.DestinationStatus(m.ref)
	require.Equal(t, DestinationStatus{Destination: m.to}, st, "nothing was written there yet")
	told := len(m.told)
	unknown := before
	unknown.Ref.Name = "unknown"
	for _, of := range []destination.Destination{before, unknown} {
		m.report(gitsink.Report{Destination: of, Result: gitsink.Result{Tip: "d"}})
	}
	st, _ = m.DestinationStatus(m.ref)
	require.Empty(t, st.Tip)
	require.Len(t, m.told, told)
	_, ok := m.DestinationStatus(unknown.Ref)
	require.False(t, ok)
}

func TestTheLogSaysWhatHappenedAndNothingElse(t *testing.T) {
	m := newReported(t)
	m.watcher = source.New(nil, nil, nil, nil) // one that knows no destination
	for said, r := range map[string]gitsink.Report{
		"":                        {Synced: true, Pruned: &gitsink.Pruned{}},
		"\"pushed\" \"dest":       {Result: gitsink.Result{Commits: []string{"c"}}},
		"object left out":         {Skipped: []gitsink.Skipped{{Err: errors.New("too long")}}},
		"deletions held back":     {Synced: true, Held: &orphan.TooManyError{}},
		"folder is not adopted":   {Synced: true, Unadopted: []string{"a"}},
		"an owner of their own":   {Excluded: &orphan.Found{}},
		"no rule covers any more": {Synced: true, Uncovered: &orphan.Found{}},
		".gitattributes":          {Synced: true, Filtered: []gitsink.Filtered{{}}},
		"pruned what no rule":     {Pruned: &gitsink.Pruned{Removed: 1}},
		"cannot seed anew":        {Result: gitsink.Result{Foreign: true}}, // of a folder that somebody changed
	} {
		m.logs.take()
		m.say(t, r)
		logged := m.logs.take()
		require.Contains(t, logged, said)
		require.Equal(t, said != "", logged != "", logged)
		require.NotContains(t, logged, "\n", "one line")
	}
	m.say(t, gitsink.Report{Err: errors.New("down"), Result: gitsink.Result{Foreign: true}})
	require.Empty(t, m.logs.take(), "what failed is tried again, and found then")
}

func TestASweepUsesUpOnlyTheApprovalThatItKnew(t *testing.T) {
	held := &orphan.TooManyError{Found: orphan.Found{Count: 11}}
	for name, c := range map[string]struct {
		held *orphan.TooManyError // when the approval is given
		r    gitsink.Report
		left bool
	}{
		"one that began before": {nil, gitsink.Report{Synced: true, Adopted: true}, true},
		"one with it":           {nil, gitsink.Report{Synced: true, Adopted: true, Orphans: orphan.Options{Approved: true}}, false},
		"before, of files":      {held, gitsink.Report{Synced: true, Adopted: true}, true},
		"of these files":        {held, gitsink.Report{Synced: true, Adopted: true, Orphans: orphan.Options{ApprovedFor: &held.Found}}, false},
		"of whatever is found":  {held, gitsink.Report{Synced: true, Adopted: true, Orphans: orphan.Options{Approved: true}}, true},
		"no sweep":              {nil, gitsink.Report{Adopted: true, Orphans: orphan.Options{Approved: true}}, true},
		"not adopted":           {nil, gitsink.Report{Synced: true, Orphans: orphan.Options{Approved: true}}, true},
		"failed": {nil, gitsink.Report{
			Err: errors.New("down"), Synced: true, Adopted: true, Orphans: orphan.Options{Approved: true},
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			m := newReported(t)
			m.say(t, gitsink.Report{Synced: true, Held: c.held})
			require.NoError(t, m.Approve(m.ref))
			require.Equal(t, c.left, m.say(t, c.r).Approved)
			m.move(t, "prod")
			st, _ := m.DestinationStatus(m.ref)
			require.Equal(t, c.left, st.Approved, "the same rules again take nothing")
		})
	}
}

func TestAnAdoptionLastsUntilTheFolderIsOurs(t *testing.T) {
	m := newReported(t)
	require.False(t, m.adopts(m.ref))
	require.NoError(t, m.Adopt(m.ref))
	m.say(t, gitsink.Report{Err: errors.New("down"), Adopted: true})
	m.say(t, gitsink.Report{Synced: true})
	require.True(t, m.adopts(m.ref), "neither has adopted it")
	m.say(t, gitsink.Report{Adopted: true})
	require.False(t, m.adopts(m.ref))
}

func TestAPruneEndsWithTheReportThatTellsOfIt(t *testing.T) {
	for name, c := range map[string]struct {
		r     gitsink.Report
		ended bool
		err   error
	}{
		"pruned":              {gitsink.Report{Pruned: &gitsink.Pruned{Removed: 1}}, true, nil},
		"held back":           {gitsink.Report{Pruned: &gitsink.Pruned{Err: gitsink.ErrUnadopted}}, true, gitsink.ErrUnadopted},
		"a batch before":      {gitsink.Report{Synced: true}, false, nil},
		"a momentary failure": {gitsink.Report{Err: errors.New("down")}, false, nil},
		"a permanent failure": {gitsink.Report{Err: errors.Join(queue.ErrPermanent, gitsink.ErrOwned)}, true, gitsink.ErrOwned},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newReported(t)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				ends := make(chan error, 2)
				for range 2 {
					go func() { ends <- m.Prune(ctx, m.ref) }()
				}
				synctest.Wait()
				require.NotNil(t, m.pruneOptions(m.ref))
				m.say(t, c.r)
				m.say(t, c.r) // whoever orders it again has a new one
				synctest.Wait()
				require.Equal(t, c.ended, m.pruneOptions(m.ref) == nil)
				if !c.ended {
					require.Empty(t, ends)
					cancel()
					require.ErrorIs(t, <-ends, context.Canceled)
					require.ErrorIs(t, <-ends, context.Canceled)
					require.Nil(t, m.pruneOptions(m.ref), "nobody waits for it")
					return
				}
				for range 2 {
					require.ErrorIs(t, <-ends, c.err)
				}
			})
		})
	}
}

func TestAPruneThatAllButOneLeaveGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := newReported(t)
		ends := make(chan error, 1)
		go func() { ends <- m.Prune(t.Context(), m.ref) }()
		synctest.Wait()
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, m.Prune(ended, m.ref), context.Canceled)
		require.NotNil(t, m.pruneOptions(m.ref))
		m.say(t, gitsink.Report{Pruned: &gitsink.Pruned{}})
		require.NoError(t, <-ends)
	})
}

func TestAPruneLeftAfterItsDestinationMovedTakesNoOther(t *testing.T) {
	m := newReported(t)
	first := &pruning{waiting: 1, done: make(chan struct{})}
	m.move(t, "elsewhere")
	m.leave(m.ref, first) // there is none
	require.NoError(t, m.grant(m.ref, func(g *grants, _ written) { g.prune = &pruning{waiting: 1, done: make(chan struct{})} }))
	first.waiting = 1
	m.leave(m.ref, first)
	require.NotNil(t, m.pruneOptions(m.ref), "it is somebody else's")
}

// A push of the leader before may take long: it is looked for after 1, 3, 7 and 15 minutes.
func TestFoldersAreLookedAtAgainAfterAHandover(t *testing.T) {
	leader := func(context.Context) bool { return true }
	for name, c := range map[string]struct {
		opts Options
		at   []time.Duration
	}{
		"nobody else leads": {Options{}, nil},
		"by default":        {Options{StillLeader: leader}, []time.Duration{time.Minute, 3 * time.Minute, 7 * time.Minute, 15 * time.Minute}},
		"as is said":        {Options{StillLeader: leader, Handover: time.Second}, []time.Duration{time.Second, 3 * time.Second, 7 * time.Second, 15 * time.Second}},
		"never":             {Options{StillLeader: leader, Handover: -1}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := newReported(t)
				opts := c.opts.withDefaults()
				began := time.Now()
				m.watcher = source.New(nil, nil, nil, nil) // one that knows no destination
				var looks []time.Duration                  // each of which fails
				opts.Logger = funcr.New(func(_, args string) {
					require.Contains(t, args, "cannot look at the folder again")
					looks = append(looks, time.Since(began))
				}, funcr.Options{Verbosity: 1})
				m.opts = opts
				m.lookAgain(t.Context())
				require.Equal(t, c.at, looks)

				ended, cancel := context.WithCancel(t.Context())
				cancel()
				looks = nil
				m.lookAgain(ended)
				require.Empty(t, looks, "the end comes first")
			})
		})
	}
}

func TestTheDrainTimeoutIsTwentySecondsUnlessItIsSet(t *testing.T) {
	require.Equal(t, 20*time.Second, (*Options)(nil).withDefaults().DrainTimeout)
	require.Equal(t, time.Second, (&Options{DrainTimeout: time.Second}).withDefaults().DrainTimeout)
}

func TestAnApprovalTakesNothingFromTheRules(t *testing.T) {
	m := newReported(t)
	m.orphans = map[destination.Ref]orphan.Options{m.ref: {Approved: true, MaxFiles: 7}}
	held := &orphan.TooManyError{Found: orphan.Found{Count: 11}}
	m.say(t, gitsink.Report{Synced: true, Held: held})
	require.NoError(t, m.Approve(m.ref))
	require.Equal(t, orphan.Options{Approved: true, MaxFiles: 7, ApprovedFor: &held.Found}, m.orphanOptions(m.ref))
}

func TestFaultyOrphansAreNamedInTheOrderOfTheirDestinations(t *testing.T) {
	options := map[destination.Ref]orphan.Options{}
	var names []string
	for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
		options[destination.Ref{Namespace: "default", Name: name}] = orphan.Options{Policy: "never"}
		names = append(names, "default/"+name)
	}
	m := newReported(t)
	err := m.SetRules(Rules{Orphans: options})
	require.Error(t, err)
	var told []string
	for line := range strings.Lines(err.Error()) {
		_, name, _ := strings.Cut(line, "[")
		name, _, _ = strings.Cut(name, "]")
		told = append(told, name)
	}
	require.Equal(t, names, told)
}

func TestOnlyARefusalWillNotBeCuredByTime(t *testing.T) {
	pods := schema.GroupResource{Resource: "pods"}
	forbidden := source.Incomplete{Err: apierrors.NewForbidden(pods, "", nil)}
	down := source.Incomplete{Err: apierrors.NewServiceUnavailable("down")}
	for name, c := range map[string]struct {
		parts []source.Incomplete
		want  bool
	}{
		"all is listed":        {nil, false},
		"no rights":            {[]source.Incomplete{forbidden}, true},
		"no credentials":       {[]source.Incomplete{{Err: apierrors.NewUnauthorized("who")}}, true},
		"no such type":         {[]source.Incomplete{{Err: apierrors.NewNotFound(pods, "")}}, true},
		"no listing":           {[]source.Incomplete{{Err: apierrors.NewMethodNotSupported(pods, "list")}}, true},
		"the server is down":   {[]source.Incomplete{down}, false},
		"for one of two types": {[]source.Incomplete{forbidden, down}, false},
	} {
		require.Equal(t, c.want, refused(c.parts), name)
	}
}
