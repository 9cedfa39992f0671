package kubescribe

import (
	"context"
	"errors"
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

// reported is a Mirror that does not run, whose reports are made up: what a status adds up to does
// not depend on time.
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

// someTime is when a sweep or a commit was.
var someTime = time.Unix(1, 0)

// say reports and returns the status that follows, which is what OnStatus is told by then.
func (m *reported) say(t *testing.T, r gitsink.Report) DestinationStatus {
	t.Helper()
	r.Destination = m.to
	m.observe(r)
	st, ok := m.DestinationStatus(m.ref)
	require.True(t, ok)
	m.news.look(m.Mirror, m.destinations())
	require.Equal(t, verdictOn(&st), verdictOn(&m.told[len(m.told)-1]))
	return st
}

func TestTheStatusAddsUpWhatSweepsAndOtherBatchesTell(t *testing.T) {
	t.Parallel()
	m := newReported(t)
	sweep := gitsink.Status{LastSeed: someTime, LastCommit: someTime, Tip: "c", Uncovered: &orphan.Found{Count: 2}}
	want := DestinationStatus{Status: sweep}
	want.Destination = m.to
	require.Equal(t, want, m.say(t, gitsink.Report{Status: sweep}))
	want.Tip = "d"
	require.Equal(t, want, m.say(t, gitsink.Report{Status: gitsink.Status{Tip: "d"}}), "a batch takes nothing away")
	want.Err = errors.New("down")
	require.Equal(t, want, m.say(t, gitsink.Report{Status: gitsink.Status{Err: want.Err, Tip: "e"}}), "nor does one that failed")
}

func TestAReportOfWhatADestinationWasBeforeIsNotItsStatus(t *testing.T) {
	t.Parallel()
	m := newReported(t)
	m.say(t, gitsink.Report{Status: gitsink.Status{Tip: "c", LastSeed: someTime}})
	before := m.to
	m.move(t, "prod")
	st, _ := m.DestinationStatus(m.ref)
	require.Equal(t, "c", st.Tip, "the same rules again forget nothing")
	m.move(t, "elsewhere")
	st, _ = m.DestinationStatus(m.ref)
	require.Equal(t, DestinationStatus{Status: gitsink.Status{Destination: m.to}}, st, "nothing was written there yet")
	told := len(m.told)
	unknown := before
	unknown.Ref.Name = "unknown"
	for _, of := range []destination.Destination{before, unknown} {
		m.observe(gitsink.Report{Status: gitsink.Status{Destination: of, Tip: "d"}})
	}
	st, _ = m.DestinationStatus(m.ref)
	require.Empty(t, st.Tip)
	m.news.look(m.Mirror, []destination.Ref{unknown.Ref})
	require.Len(t, m.told, told)
	_, ok := m.DestinationStatus(unknown.Ref)
	require.False(t, ok)
}

func TestTheLogSaysWhatHappenedAndNothingElse(t *testing.T) {
	t.Parallel()
	m := newReported(t)
	m.watcher = source.New(nil, nil, nil, nil) // one that knows no destination
	swept := func(found gitsink.Status) gitsink.Report {
		found.LastSeed = someTime
		return gitsink.Report{Status: found}
	}
	for said, r := range map[string]gitsink.Report{
		"":                        {Status: gitsink.Status{LastSeed: someTime}, Pruned: &gitsink.Pruned{}},
		"\"pushed\" \"dest":       {Result: gitsink.Result{Commits: []string{"c"}}},
		"objects left out":        {Status: gitsink.Status{Skipped: []gitsink.Skipped{{Err: errors.New("too long")}}}},
		"deletions held back":     swept(gitsink.Status{Held: &orphan.TooManyError{}}),
		"folder is not adopted":   swept(gitsink.Status{Unadopted: []string{"a"}}),
		"an owner of their own":   {Status: gitsink.Status{Excluded: &orphan.Found{}}},
		"no rule covers any more": swept(gitsink.Status{Uncovered: &orphan.Found{}}),
		".gitattributes":          swept(gitsink.Status{Filtered: []gitsink.Filtered{{}}}),
		"pruned what no rule":     {Pruned: &gitsink.Pruned{Removed: 1}},
		// Somebody changed the folder.
		"cannot compare the folder anew": {Result: gitsink.Result{Foreign: true}},
	} {
		clear(m.written)
		m.logs.take()
		m.say(t, r)
		logged := m.logs.take()
		require.Contains(t, logged, said)
		require.Equal(t, said != "", logged != "", logged)
		require.NotContains(t, logged, "\n", "one line")
	}
	m.say(t, gitsink.Report{Status: gitsink.Status{Err: errors.New("down")}, Result: gitsink.Result{Foreign: true}})
	require.Empty(t, m.logs.take(), "what failed is tried again, and found then")
}

func TestAFolderThatSomebodyElseHasWrittenToIsSaidToBeComparedAnew(t *testing.T) {
	t.Parallel()
	m := newReported(t)
	m.say(t, gitsink.Report{Result: gitsink.Result{Foreign: true}})
	require.Contains(t, m.logs.take(), "somebody else has written to the folder")
}

// A push of the leader before may take long: it is looked for after 1, 3, 7 and 15 minutes.
func TestFoldersAreRecheckedAfterAHandover(t *testing.T) {
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
					require.Contains(t, args, "cannot recheck the folder")
					looks = append(looks, time.Since(began))
				}, funcr.Options{Verbosity: 1})
				m.opts = opts
				m.recheckAfterHandover(t.Context())
				require.Equal(t, c.at, looks)

				ended, cancel := context.WithCancel(t.Context())
				cancel()
				looks = nil
				m.recheckAfterHandover(ended)
				require.Empty(t, looks, "the end comes first")
			})
		})
	}
}

func TestTheDrainTimeoutIsTwentySecondsUnlessItIsSet(t *testing.T) {
	t.Parallel()
	require.Equal(t, 20*time.Second, (*Options)(nil).withDefaults().DrainTimeout)
	require.Equal(t, time.Second, (&Options{DrainTimeout: time.Second}).withDefaults().DrainTimeout)
}

func TestWhoChangesHisRulesAfterwardsChangesNothing(t *testing.T) {
	m := newReported(t)
	r := Rules{Orphans: map[destination.Ref]orphan.Options{m.ref: {MaxFiles: 7}}}
	require.NoError(t, m.SetRules(r))
	r.Orphans[m.ref] = orphan.Options{MaxFiles: -1}
	require.Equal(t, 7, m.policy(m.to).Orphans.MaxFiles)
}

func TestFaultyOrphansAreNamedInTheOrderOfTheirDestinations(t *testing.T) {
	t.Parallel()
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
	t.Parallel()
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

func TestTheLogSaysWhatIsLeftOutWheneverThatChanges(t *testing.T) {
	t.Parallel()
	m := newReported(t)
	m.watcher = source.New(nil, nil, nil, nil)
	leaves := func(names ...string) string {
		st := gitsink.Status{LastSeed: someTime, SkippedCount: len(names)}
		for _, name := range names {
			s := gitsink.Skipped{Err: gitsink.ErrPath}
			s.Resource.ID.Name = name
			st.Skipped = append(st.Skipped, s)
		}
		m.logs.take()
		m.say(t, gitsink.Report{Status: st})
		return m.logs.take()
	}
	require.Contains(t, leaves("a", "b"), `"count"=2`)
	require.NotContains(t, leaves("a", "b"), "left out", "that was said")
	require.Contains(t, leaves("a"), `"count"=1`)
	require.Contains(t, leaves("b"), `"count"=1`, "another object")
	require.Contains(t, leaves(), "every object can be written again")
	require.NotContains(t, leaves(), "again")
}

// Of more than a hundred objects the first are named. When these are written others are left, of
// which no more than the number is known.
func TestObjectsThatAreLeftOutAndNotNamedAreToldAllTheSame(t *testing.T) {
	t.Parallel()
	m := newReported(t)
	m.watcher = source.New(nil, nil, nil, nil)
	st := inSync()
	st.SkippedCount = 50
	ready, reason, message := st.Ready()
	require.False(t, ready)
	require.Equal(t, ReasonObjectsLeftOut, reason)
	require.Contains(t, message, "50 objects")
	m.logs.take()
	m.logLeftOut(gitsink.Status{}, st.Status)
	require.Contains(t, m.logs.take(), `"count"=50`)
}
