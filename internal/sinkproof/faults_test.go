package sinkproof

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/internal/testsize"
)

// Whichever network operation of a story fails, and wherever in it, the story ends the same: every
// commit is there once, in order, and no failure is taken for one that trying again would not help.
// Of a repository with SHA-256 names there is a sample: the operations are the same.
func TestEveryNetworkOperationMayFail(t *testing.T) {
	for i, name := range slices.Sorted(maps.Keys(cutTransports)) {
		for j, format := range []string{"sha1", "sha256"} {
			t.Run(name+" "+format, func(t *testing.T) {
				testsize.OneOf(t, "transport", 2*i+j, 2*len(cutTransports))
				sweep(t, name, format)
			})
		}
	}
}

func sweep(t *testing.T, transport, format string) {
	t.Helper()
	server := gitservertest.NewServer(t, &gitservertest.ServerOptions{ObjectFormat: format})
	chance := testsize.Chance(t)
	c, way := cutTransports[transport](t, server)
	tell := func(t *testing.T, id string, at int, where place, expected int) (lengths []int, cut bool) {
		st := newStory(t, server.NewRepo(id))
		c.arm(at, where, expected)
		spent := st.tell(t, way(st.repo))
		lengths, cut = c.counted()
		t.Logf("%d operations, %+v", len(lengths), spent)
		st.check(t)
		return lengths, cut
	}
	lengths, _ := tell(t, "whole", -1, 0, 0)
	total := len(lengths) * int(places)
	step := testsize.Sizes{Usual: max(total/2, 1), Long: max(total/3, 1), Soak: 1}.Pick()
	if format != "sha1" {
		step = max(step, total/4)
	}
	if step > 1 && step%int(places) == 0 {
		step++ // or all cuts would be in one place
	}
	cuts := 0
	for i := chance.IntN(step); i < total; i += step {
		at, where := i/int(places), place(i%int(places))
		t.Run(fmt.Sprintf("operation %d of %d %s", at, len(lengths), where), func(t *testing.T) {
			if _, cut := tell(t, fmt.Sprintf("cut-%d-%d", at, where), at, where, lengths[at]); cut {
				cuts++
			}
		})
	}
	t.Logf("%d stories, %d of them with a cut", total/step, cuts)
	require.Positive(t, cuts)
}

// story is what happens on a repository: a plan of several commits on one file, a commit of
// somebody else, a plan that reads a file, and a new branch.
type story struct {
	repo  *gitservertest.Repo
	first string
}

func newStory(t *testing.T, repo *gitservertest.Repo) *story {
	t.Helper()
	files := map[string]gitservertest.File{"README": {Content: "here before\n"}, "way/to/base/theirs": {Content: "theirs\n"}}
	return &story{repo: repo, first: repo.Commit("main", files, "first")}
}

// history makes the file go through states, with a commit for each, whatever is there: as a queue's
// batch with a commit for each change does. A run that comes again because nobody knew whether it
// had landed must not be there twice all the same.
func history(path string, states ...string) gitsink.Plan {
	return func(context.Context, gitsink.Tree) ([]gitsink.Commit, error) {
		var commits []gitsink.Commit
		for _, state := range states {
			commits = append(commits, gitsink.Commit{
				Message: path + " " + state, Changes: []gitsink.Change{{Path: path, Data: []byte(state)}},
			})
		}
		return commits, nil
	}
}

func (st *story) tell(t *testing.T, a access) tally {
	t.Helper()
	sink := a.sink()
	defer func() { require.NoError(t, sink.Close()) }()
	var spent tally
	apply := func(branch string, plan gitsink.Plan) {
		d := destination.Destination{
			Ref: destination.Ref{Name: branch}, Repository: a.URL, Branch: branch, BaseFolder: "way/to/base",
		}
		more, err := persist(t.Context(), sink, d, plan)
		require.NoError(t, err)
		spent.add(more)
	}
	apply("main", history("ours", "1", "2", "3"))
	st.repo.Commit("main", map[string]gitservertest.File{"way/to/base/theirs": {Content: "theirs again\n"}}, "outside")
	apply("main", func(ctx context.Context, base gitsink.Tree) ([]gitsink.Commit, error) {
		found, err := base.Read(ctx, "theirs")
		if err != nil {
			return nil, err
		}
		return history("copy", string(found["theirs"]))(ctx, base)
	})
	apply("dev", history("ours", "4"))
	return spent
}

// check demands that both branches are as the story has made them.
func (st *story) check(t *testing.T) {
	t.Helper()
	st.repo.Fsck()
	requireNoLock(t, st.repo.Dir())
	main := []string{"first", "ours 1", "ours 2", "ours 3", "outside", "copy theirs again"}
	require.Equal(t, main, st.subjects(t, "main"))
	require.Equal(t, append(main, "ours 4"), st.subjects(t, "dev"))
	want := map[string]string{
		"README": "here before\n", "way/to/base/theirs": "theirs again\n", "way/to/base/ours": "3",
		"way/to/base/copy": "theirs again\n",
	}
	require.Equal(t, want, st.repo.Tree("main"))
	want["way/to/base/ours"] = "4"
	require.Equal(t, want, st.repo.Tree("dev"))
}

// subjects are the commits of a branch, the first one first, and demands that they are in one line.
func (st *story) subjects(t *testing.T, branch string) []string {
	t.Helper()
	log := st.repo.Log(branch)
	slices.Reverse(log)
	require.Equal(t, st.first, log[0].Hash)
	var subjects []string
	for i, commit := range log {
		if i > 0 {
			require.Equal(t, []string{log[i-1].Hash}, commit.Parents)
		}
		subjects = append(subjects, commit.Subject)
	}
	return subjects
}
