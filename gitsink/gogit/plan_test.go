package gogit

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/object"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/smart"
)

func TestADraftWaitsForAnotherPushOnlyWhenThisOneHoldsSomething(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		most          int // RateLimit.MaxCommits
		in, more      int // commits
		size, objects int64
		want          bool
	}{
		"nothing is in it":              {1, 0, 5, 0, maxPush, false},
		"nothing comes":                 {1, 3, 0, maxPush, 10, false},
		"it may reach the bound":        {3, 2, 1, 0, 0, false},
		"one more than the bound":       {3, 2, 2, 0, 0, true},
		"no bound":                      {0, 2, 100, 0, 0, false},
		"the size may reach the bound":  {0, 1, 1, maxPush - 10, 10, false},
		"a byte more":                   {0, 1, 1, maxPush - 10, 11, true},
		"a byte more, of few commits":   {9, 1, 1, maxPush - 10, 11, true},
		"a bound that is not reached":   {9, 1, 1, 0, 11, false},
		"a small one after a large one": {0, 1, 1, maxPush, 2, true},
	} {
		g := &pushGroup{limit: RateLimit{MaxCommits: c.most}}
		ch := &pushStack{size: c.size, parts: []stackPart{{commits: make([]builtCommit, c.in)}}}
		d := &builtCommits{commits: make([]builtCommit, c.more)}
		if c.objects > 1 { // two objects
			d.objects = []object.Object{{Data: make([]byte, c.objects-1)}, {Data: make([]byte, 1)}}
		}
		require.Equal(t, c.want, g.full(ch, d), name)
	}
}

func TestABaseFolderThatOthersHaveChangedIsForeign(t *testing.T) {
	t.Parallel()
	g := standing(t, nil, "a")
	g.remote.lane.store = stocked(t, "a/file", "1")
	ch := newPushStack(object.SHA1, g.remote.lane.store, g.remote.lane.store.Tip)
	at, err := object.FolderIn(ch, ch.root, "a")
	require.NoError(t, err)
	for name, c := range map[string]struct {
		seen    *lastSeenFolder
		foreign bool
	}{
		"never seen":               {nil, false},
		"as it was":                {&lastSeenFolder{at, hash("1")}, false},
		"as it may have become":    {&lastSeenFolder{hash("1"), at}, false},
		"as it was, and is":        {&lastSeenFolder{at, at}, false},
		"neither":                  {&lastSeenFolder{hash("1"), hash("2")}, true},
		"it was not there at last": {&lastSeenFolder{}, true},
	} {
		clear(g.remote.lane.seen)
		if c.seen != nil {
			g.remote.lane.seen["a"] = *c.seen
		}
		g.calls[0].result.Foreign = false
		got, err := g.folder(ch, g.calls[0])
		require.NoError(t, err)
		require.Equal(t, at, got)
		require.Equal(t, c.foreign, g.calls[0].result.Foreign, name)
	}
	g.remote.lane.store.Root = hash("5") // which is nowhere
	_, err = g.folder(ch, g.calls[0])
	require.ErrorIs(t, err, object.ErrIncomplete)
}

func TestADraftThatFailsIsItsCallsOrTheCaches(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	walks := func(_ context.Context, tree gitsink.Tree) ([]gitsink.Commit, error) {
		_ = paths(tree, "")
		return nil, broken // which is not the reason
	}
	for name, c := range map[string]struct {
		folder string
		plan   gitsink.Plan
		signer Signer
		lacks  string // a folder whose tree is missing
		held   int64
		op     string
		is     error
	}{
		"the folder is a file":           {folder: "file", plan: nothing, op: opFetch, is: gitsink.ErrPath},
		"the way to it is missing":       {folder: "dir/sub", plan: nothing, lacks: "dir", is: object.ErrIncomplete},
		"the plan meets what is missing": {folder: "dir", plan: walks, lacks: "dir/sub", is: object.ErrIncomplete},
		"the plan meets too much":        {folder: "dir", plan: walks, held: 10, op: opPlan, is: gitsink.ErrTooLarge},
		"the plan fails": {folder: "dir", plan: func(context.Context, gitsink.Tree) ([]gitsink.Commit, error) {
			return commitsTo("x"), broken
		}, op: opPlan, is: broken},
		"a path that cannot be":      {folder: "dir", plan: commits(commitsTo("../x")...), op: opCommit, is: gitsink.ErrPath},
		"it changes what is missing": {folder: "dir", plan: commits(commitsTo("sub/x")...), lacks: "dir/sub", is: object.ErrIncomplete},
		"it cannot be signed": {folder: "dir", plan: commits(commitsTo("x")...), op: opCommit, is: broken,
			signer: signerFunc(func() ([]byte, error) { return nil, broken })},
		"it is not signed": {folder: "dir", plan: commits(commitsTo("x")...), op: opCommit, is: errUnsigned,
			signer: signerFunc(func() ([]byte, error) { return []byte("x"), nil })},
	} {
		opts := &Options{MaxHeldBytes: c.held}
		if c.signer != nil {
			opts.Signer = func(context.Context, destination.Destination) (Signer, error) { return c.signer, nil }
		}
		g := standing(t, opts, "elsewhere", c.folder)
		g.remote.lane.store = stocked(t, "file", "1", "dir/sub/one", "2", "dir/two", "3")
		if c.lacks != "" {
			tree, err := object.FolderIn(g.remote.lane.store, g.remote.lane.store.Root, c.lacks)
			require.NoError(t, err)
			g.remote.lane.store.Trees.Delete(tree)
		}
		g.calls[1].plan = c.plan
		d, err := g.runAndBuild(newPushStack(object.SHA1, g.remote.lane.store, g.remote.lane.store.Tip), g.calls[1])
		require.Nil(t, d, name)
		require.ErrorIs(t, err, c.is, name)
		var e *gitsink.Error
		require.Equal(t, c.op != "", errors.As(err, &e), name)
		if c.op != "" {
			require.Equal(t, c.op, e.Op, name)
			require.Equal(t, g.calls[1].dst, e.Destination, name)
		}
	}
}

func TestWhatHasLandedIsNotDraftedAgain(t *testing.T) {
	t.Parallel()
	g := standing(t, nil, "dir")
	g.remote.lane.store = stocked(t, "dir/x", "1")
	plan := commitsTo("x")
	g.calls[0].plan = commits(plan...)
	g.remote.lane.landed["dir"] = []landedCommit{{digest: digestOf(plan[0])}}
	d, err := g.runAndBuild(newPushStack(object.SHA1, g.remote.lane.store, g.remote.lane.store.Tip), g.calls[0])
	require.NoError(t, err)
	require.Empty(t, d.commits)
	require.False(t, d.writes, "it is left out before")
	g.remote.lane.store.Root = hash("5")
	_, err = g.runAndBuild(newPushStack(object.SHA1, g.remote.lane.store, g.remote.lane.store.Tip), g.calls[0])
	require.ErrorIs(t, err, object.ErrIncomplete)
	g.calls[0].plan = commits(commitsTo("../x")...)
	g.remote.lane.landed["dir"] = []landedCommit{{digest: digestOf(commitsTo("../x")[0])}}
	g.remote.lane.store = stocked(t, "dir/x", "1")
	_, err = g.runAndBuild(newPushStack(object.SHA1, g.remote.lane.store, g.remote.lane.store.Tip), g.calls[0])
	require.ErrorIs(t, err, gitsink.ErrPath)
}

func TestAPlanReadsUnderItsOwnCredentials(t *testing.T) {
	t.Parallel()
	m := newModelServer(t, nil)
	auths, asked := map[string]string{"dest0": "hunter0", "dest1": "hunter0"}, []string{}
	g := standing(t, &Options{Transport: m, Auth: named(auths, &asked)}, "", "")
	_, err := g.remote.checkout(t.Context(), object.ID{}, []string{""})
	require.NoError(t, err)
	asked, auths["dest1"] = nil, "hunter1"
	var got map[string][]byte
	g.calls[1].plan = func(ctx context.Context, tree gitsink.Tree) (_ []gitsink.Commit, err error) {
		got, err = tree.Read(ctx, "outside 1")
		return nil, err
	}
	_, err = g.runAndBuild(newPushStack(object.SHA1, g.remote.lane.store, g.remote.lane.store.Tip), g.calls[1])
	require.NoError(t, err)
	require.Equal(t, map[string][]byte{"outside 1": []byte("outside 1")}, got)
	require.Equal(t, []string{"dest1"}, asked)
	require.Contains(t, g.remote.secrets, "hunter1", "no error may hold it")
}

func TestAGroupIsPlannedOnTheNewestCommit(t *testing.T) {
	t.Parallel()
	g := standing(t, nil, "a", "b", "c")
	g.remote.lane.store = stocked(t, "start", "1")
	old := g.remote.lane.store.Tip
	calls := slices.Clone(g.calls)
	broken := errors.New("broken")
	calls[0].plan, calls[2].plan = put("file", "1"), put("file", "2")
	calls[1].plan = func(context.Context, gitsink.Tree) ([]gitsink.Commit, error) { return nil, broken }
	receiver := talking(t, http.NoBody, canPush)
	receiver.Refs.Refs[g.remote.ref.String()] = old
	ch, err := g.plan(receiver)
	require.NoError(t, err)
	require.Equal(t, old, ch.old)
	require.Equal(t, []*call{calls[0], calls[2]}, g.calls)
	require.ErrorIs(t, ended(t, calls[1]), broken)
	require.Equal(t, 2, g.callers.refs)
	require.Equal(t, 2, ch.commits())
	require.Equal(t, []*call{calls[0], calls[2]}, []*call{ch.parts[0].call, ch.parts[1].call})

	g.remote.lane.unknown = []unknownPush{doubtful(hash("1"), hash("2"), nil), doubtful(old, hash("3"), nil)}
	g.remote.sink.https = smart.NewHTTP(answers(func(*http.Request, string) (int, string) { return http.StatusServiceUnavailable, "" }))
	_, err = g.plan(receiver)
	require.ErrorContains(t, err, "503", "a doubt that cannot be settled")
	g.remote.lane.unknown = g.remote.lane.unknown[1:]
	_, err = g.plan(receiver)
	require.NoError(t, err)
	require.Len(t, g.remote.lane.unknown, 1)
	g.remote.lane.store.Root = hash("5")
	_, err = g.plan(receiver)
	require.ErrorIs(t, err, object.ErrIncomplete)
	require.Len(t, g.calls, 2)
}

func TestWhatDoesNotFitWaitsForTheNextPush(t *testing.T) {
	t.Parallel()
	g := standing(t, &Options{RateLimit: func(destination.Destination) RateLimit { return RateLimit{Interval: -1, MaxCommits: 2} }}, "a", "b", "c", "d", "e")
	g.remote.lane.store = stocked(t, "start", "1")
	calls := slices.Clone(g.calls)
	broken := errors.New("broken")
	for _, c := range calls {
		c.plan = put("file", "1")
	}
	calls[0].plan = func(context.Context, gitsink.Tree) ([]gitsink.Commit, error) { return nil, broken }
	receiver := talking(t, http.NoBody, canPush)
	receiver.Refs.Refs[g.remote.ref.String()] = g.remote.lane.store.Tip
	ch, err := g.plan(receiver)
	require.NoError(t, err)
	require.Equal(t, 2, ch.commits())
	require.Equal(t, calls[1:3], g.calls)
	require.Equal(t, calls[3:], g.remote.lane.waiting)
	require.Equal(t, 2, g.callers.refs)
}

func TestARepositoryWithoutReferencesIsAskedForNothing(t *testing.T) {
	t.Parallel()
	g := standing(t, nil, "a", "b") // there is no server
	g.remote.lane.store = stocked(t, "start", "1")
	receiver := &session{Session: smart.Assume(nil, &smart.Advertisement{Empty: true})}
	tip, err := g.catchUp(receiver)
	require.NoError(t, err)
	require.True(t, tip.IsZero())
	require.True(t, g.remote.lane.store.Tip.IsZero())

	// All the folders of the group are wanted.
	asks := 0
	g.remote.sink.https = smart.NewHTTP(answers(func(*http.Request, string) (int, string) { asks++; return http.StatusServiceUnavailable, "" }))
	g.remote.lane.store = stocked(t, "a/file", "1", "b/file", "2")
	g.remote.lane.store.Complete = false
	missing, err := object.FolderIn(g.remote.lane.store, g.remote.lane.store.Root, "b")
	require.NoError(t, err)
	g.remote.lane.store.Trees.Delete(missing)
	receiver = &session{Session: smart.Assume(nil, &smart.Advertisement{Refs: map[string]object.ID{g.remote.ref.String(): g.remote.lane.store.Tip}})}
	_, err = g.catchUp(receiver)
	require.ErrorContains(t, err, "503")
	require.Equal(t, 1, asks)
	g.calls[1].dst.BaseFolder = "a"
	tip, err = g.catchUp(receiver)
	require.NoError(t, err)
	require.Equal(t, g.remote.lane.store.Tip, tip)
}

func TestACommitIsSignedUnlessThatIsNotMeant(t *testing.T) {
	t.Parallel()
	armor := []byte("-----BEGIN X-----\ny\n-----END X-----\n")
	g := standing(t, &Options{Committer: gitsink.Signature{Name: "me", Email: "me@x"}}, "a")
	plain, err := g.encoder(g.calls[0])(hash("1"), hash("2"), gitsink.Commit{Message: "m"}, time.Unix(1, 0))
	require.NoError(t, err)
	require.Equal(t, "tree "+hash("1").String()+"\nparent "+hash("2").String()+
		"\nauthor me <me@x> 1 +0000\ncommitter me <me@x> 1 +0000\n\nm\n", string(plain))
	g.calls[0].signer = signerFunc(func() ([]byte, error) { return armor, nil })
	signed, err := g.encoder(g.calls[0])(hash("1"), hash("2"), gitsink.Commit{Message: "m"}, time.Unix(1, 0))
	require.NoError(t, err)
	require.Contains(t, string(signed), "\ngpgsig -----BEGIN X-----\n y\n -----END X-----\n\nm\n")
	g.calls[0].signer = nil
	_, err = g.encoder(g.calls[0])(hash("1"), hash("2"), gitsink.Commit{Message: "m"}, time.Unix(1, 0))
	unsigned := (*signError)(nil)
	require.ErrorAs(t, err, &unsigned)
	require.ErrorIs(t, err, errUnsigned)
	require.ErrorContains(t, err, "return Unsigned if that is meant")
}

func TestAChainIsSignedByItsCommitsOnly(t *testing.T) {
	t.Parallel()
	const header = "tree x\ngpgsig -----BEGIN\n"
	for name, c := range map[string]struct {
		objects []object.Object
		want    bool
	}{
		"nothing":              {nil, false},
		"a signed commit":      {[]object.Object{{Kind: plumbing.TreeObject}, {Kind: plumbing.CommitObject, Data: []byte(header + "\nm")}}, true},
		"a file that looks so": {[]object.Object{{Kind: plumbing.BlobObject, Data: []byte(header + "\nm")}}, false},
		"a message that does":  {[]object.Object{{Kind: plumbing.CommitObject, Data: []byte("tree x\n\n" + header)}}, false},
	} {
		require.Equal(t, c.want, (&pushStack{objects: c.objects}).signed(), name)
	}
}
