package gogit

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/internal/testsize"
	"github.com/kubescribe/kubescribe/queue"
)

func TestAHookThatWantsSignaturesHintsAtTheSigner(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("app")
	repo.Hook("pre-receive", `while read -r old new ref; do
	for commit in $(git rev-list "$new" --not --all); do
		git cat-file commit "$commit" | grep -q '^gpgsig ' || { echo 'Gitea: Internal Server Error (no message for end users)' >&2; exit 1; }
	done
done
exit 0`)
	d := target(repo.URL(), "main", "")
	refused := refuse(t, newSink(t, nil), d, put("a", "1"), gitsink.ErrRefused)
	require.ErrorContains(t, refused, "set Options.Signer")
	require.Empty(t, repo.Branches())

	_, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	key, _ := sshKey(t, private, "")
	signer, err := NewSSHSigner(key, "")
	require.NoError(t, err)
	apply(t, newSink(t, signWith(signer)), d, put("a", "1"))
	require.Equal(t, map[string]string{"a": "1"}, repo.Tree("main"))
}

func TestAHookThatDoesNotKnowASignatureHintsAtTheKey(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	repo := gitservertest.NewServer(t, nil).NewRepo("app")
	_, private, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	key, _ := sshKey(t, private, "")
	signer, err := NewSSHSigner(key, "")
	require.NoError(t, err)
	for words, class := range map[string]error{
		"Gitea: Internal Server Error (no message for end users)":        gitsink.ErrRefused,
		"Gitea: branch main is protected from unverified commit 7fd1a60": gitsink.ErrProtected,
	} {
		repo.OnPreReceive(func([]gitservertest.RefUpdate) error { return errors.New(words) })
		e := refuse(t, newSink(t, signWith(signer)), target(repo.URL(), "main", ""), put("a", "1"), class)
		require.ErrorContains(t, e, "knows the key of Options.Signer")
		require.ErrorContains(t, e, "Options.Committer")
		require.NotContains(t, e.Error(), "set Options.Signer")
	}
}

func TestAUserWhomAHookRefusesIsOneRefusedPushForAllThatWait(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	server := gitservertest.NewServer(t, nil)
	repo := server.NewRepo("app")
	var plans []gitsink.Plan
	for i := range 9 {
		plans = append(plans, put("a", fmt.Sprint(i)))
	}
	var pushes atomic.Int32
	outcomes := crowded(t, newSink(t, nil), repo, members(t, repo.URL(), plans...), func() {
		repo.OnPreReceive(func([]gitservertest.RefUpdate) error {
			pushes.Add(1)
			return errors.New("Gitea: User permission denied for writing.")
		})
	})
	for _, o := range outcomes {
		require.ErrorIs(t, o.err, gitsink.ErrAuth)
		require.ErrorIs(t, o.err, queue.ErrPermanent)
	}
	require.EqualValues(t, 1, pushes.Load(), "by content it would be found out by halves, in 17")
}
