package gogit

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/object"
)

func TestFilesComeFromTheCacheOrInOneRequest(t *testing.T) {
	t.Parallel()
	m := newModelServer(t, nil)
	var known, large object.ID
	for h, o := range m.objects {
		if o.Kind == plumbing.BlobObject {
			known = h
		}
	}
	o := object.New(object.SHA1, plumbing.BlobObject, []byte(strings.Repeat("x", 64<<10+1)))
	large, m.objects[o.Hash] = o.Hash, o
	cached := hash("4")
	g := standing(t, &Options{Transport: m}, "a")
	g.remote.lane.store.Blobs.Put(cached, "in the cache")
	got, err := g.remote.blobs(t.Context(), []object.ID{cached})
	require.NoError(t, err)
	require.Equal(t, map[object.ID]string{cached: "in the cache"}, got)
	require.Zero(t, m.requests)
	got, err = g.remote.blobs(t.Context(), []object.ID{known, cached, large})
	require.NoError(t, err)
	require.Equal(t, map[object.ID]string{cached: "in the cache", known: "outside 1", large: string(o.Data)}, got)
	require.Equal(t, 2, m.requests)
	_, err = g.remote.blobs(t.Context(), []object.ID{known, cached})
	require.NoError(t, err)
	require.Equal(t, 2, m.requests, "a small one is kept")
}

func TestAServerThatGivesNoFilesByTheirHashesGivesTheCommitWhole(t *testing.T) {
	t.Parallel()
	m := newModelServer(t, nil)
	var known object.ID
	for h, o := range m.objects {
		if o.Kind == plumbing.BlobObject {
			known = h
		}
	}
	for range 100 {
		m.outsider()
	}
	for name, c := range map[string]struct {
		limit   int64
		whole   int // the status of the answer to the second fetch
		fetches int
		is      error
		says    string
	}{
		"it does":         {0, http.StatusOK, 2, nil, ""},
		"it fails, too":   {0, http.StatusBadGateway, 2, gitsink.ErrUnavailable, "502"},
		"it is too large": {5000, http.StatusOK, 2, gitsink.ErrTooLarge, "of 5000 bytes: set uploadpack.allowAnySHA1InWant at the server, or raise MaxPackBytes"},
	} {
		var wants []string
		g := standing(t, &Options{MaxPackBytes: c.limit, Transport: answers(func(r *http.Request, body string) (int, string) {
			if r.Method == http.MethodGet {
				return http.StatusOK, advertises(r, "shallow filter", "refs/heads/main", m.tip.String())
			}
			wants = append(wants, body)
			if len(wants) == 1 {
				return http.StatusOK, pkt("ERR upload-pack: not our ref " + known.String())
			}
			return c.whole, "0000" + string(m.upload([]byte(body)))
		})}, "a")
		g.remote.lane.store.Tip = m.tip
		got, err := g.remote.blobs(t.Context(), []object.ID{known, hash("6")})
		require.Len(t, wants, c.fetches, name)
		require.Contains(t, wants[0], "want "+known.String(), name)
		require.NotContains(t, wants[0], "deepen", name)
		require.Contains(t, wants[1], "want "+m.tip.String(), name)
		require.Contains(t, wants[1], "deepen 1", name)
		require.NotContains(t, wants[1], "blob:none", name)
		if c.is == nil {
			require.NoError(t, err, name)
			require.Equal(t, map[object.ID]string{known: "outside 1"}, got, "what is nowhere is absent: %s", name)
			continue
		}
		require.Nil(t, got, name)
		require.ErrorContains(t, err, c.says, name)
		require.Equal(t, []error{c.is}, classify(err), name)
	}
}

func TestFilesMayTakeHalfOfWhatMayBeHeld(t *testing.T) {
	t.Parallel()
	m := newModelServer(t, nil)
	o := object.New(object.SHA1, plumbing.BlobObject, bytes.Repeat([]byte("x"), 1000))
	m.objects[o.Hash] = o
	for held, is := range map[int64]error{2000: gitsink.ErrTooLarge, 4000: nil} {
		g := standing(t, &Options{Transport: m, MaxHeldBytes: held}, "a")
		g.remote.lane.store.Tip = m.tip
		_, err := g.remote.blobs(t.Context(), []object.ID{o.Hash})
		require.ErrorIs(t, err, is)
	}
}
