package gogit

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/object"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/smart"
)

// shelf is a server of objects: it gives what is asked for by name, with what a filter leaves
// below it, and says nothing of what it does not have.
type shelf struct {
	objects map[object.ID]object.Object
	names   map[object.ID]string
	asked   []string // the requests for packs
	broken  int      // the request that is answered with something else, from 1; 0: none
}

func newShelf() *shelf {
	return &shelf{objects: map[object.ID]object.Object{}, names: map[object.ID]string{}}
}

func (s *shelf) put(name string, kind plumbing.ObjectType, data string) object.ID {
	o := object.New(object.SHA1, kind, []byte(data))
	s.objects[o.Hash], s.names[o.Hash] = o, name
	return o.Hash
}

func (s *shelf) tree(name string, all ...object.Entry) object.ID {
	return s.put(name, plumbing.TreeObject, treeWith(all...))
}

var depthLine, filterLine = regexp.MustCompile(`deepen (\d+)`), regexp.MustCompile(`filter ([a-z]+:[a-z0-9]+)`)

// RoundTrip implements http.RoundTripper.
func (s *shelf) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodGet {
		text := pkt("# service=git-upload-pack\n") + "0000" + pkt(someHash+" refs/heads/main\x00shallow filter\n") + "0000"
		return answerOf(r, "application/x-git-upload-pack-advertisement", text), nil
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	first := func(line *regexp.Regexp) string {
		if found := line.FindSubmatch(body); found != nil {
			return string(found[1])
		}
		return ""
	}
	depth, filter := first(depthLine), first(filterLine)
	var pack []object.Object
	var names []string
	for _, want := range wantLine.FindAllSubmatch(body, -1) {
		hash := hexID(string(want[1]))
		names = append(names, s.names[hash])
		s.reach(hash, filter, &pack)
	}
	s.asked = append(s.asked, strings.TrimSpace(fmt.Sprintf("%s %s %s", strings.Join(names, ","), filter, depth)))
	packed := object.EncodePack(object.SHA1, pack, nil).Bytes()
	if err != nil {
		return nil, err
	}
	text := pkt("NAK\n") + string(packed)
	if depth != "" {
		text = "0000" + text
	}
	if len(s.asked) == s.broken {
		text = "zzzz"
	}
	return answerOf(r, "application/x-git-upload-pack-result", text), nil
}

func answerOf(r *http.Request, media, text string) *http.Response {
	return &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {media}}, Body: io.NopCloser(strings.NewReader(text)), Request: r,
	}
}

// reach collects an object and what the filter leaves below it.
func (s *shelf) reach(hash object.ID, filter string, found *[]object.Object) {
	o, ok := s.objects[hash]
	if !ok {
		return
	}
	*found = append(*found, o)
	switch {
	case o.Kind == plumbing.CommitObject && filter != "tree:0":
		root, _ := object.RootOf(object.SHA1, string(o.Data))
		if filter == "tree:1" {
			filter = "tree:0"
		}
		s.reach(root, filter, found)
	case o.Kind == plumbing.TreeObject && filter != "tree:0":
		for e, err := range object.Entries(object.SHA1, string(o.Data)) {
			if err != nil {
				return
			}
			if below := s.objects[e.ID()]; below.Kind == plumbing.TreeObject || filter == "" {
				s.reach(e.ID(), filter, found)
			}
		}
	}
}

// remoteOf is a remote of this server.
func remoteFor(t *testing.T, server http.RoundTripper, opts Options) *remote {
	t.Helper()
	opts.Transport = server
	r := newRemote(newSink(t, &opts), &lane{store: object.NewStore()}, target("http://shelf.example/app", "main", ""))
	r.auth = func(context.Context) (Auth, error) { return Auth{}, nil }
	return r
}

// scoped brings the store of a remote to the commit.
func scoped(t *testing.T, r *remote, commit object.ID, folders ...string) error {
	t.Helper()
	sender, err := r.open(t.Context(), smart.UploadPack)
	require.NoError(t, err)
	defer sender.Close()
	return r.scope(t.Context(), sender, commit, folders)
}

// filled is a shelf with a commit of a few folders.
func filled() (*shelf, object.ID) {
	s := newShelf()
	inner := s.tree("inner", fileEntry("y", "1"))
	ours := s.tree("ours", fileEntry("x", "1"), folderEntry("inner", inner))
	way := s.tree("way", folderEntry("ours", ours), folderEntry("theirs", s.tree("theirs", fileEntry("z", "1"))))
	root := s.tree("root", fileEntry("file", "1"), folderEntry("way", way))
	long := string(blobs(32 << 10)[0].Data) // it does not fit into one buffer on its way
	return s, s.put("commit", plumbing.CommitObject, "tree "+root.String()+"\n\n"+long)
}

func TestAFolderIsAskedForLevelByLevel(t *testing.T) {
	t.Parallel()
	s, commit := filled()
	r := remoteFor(t, s, Options{})
	require.NoError(t, scoped(t, r, commit, "way/ours", "file/none", "none"))
	require.Equal(t, []string{"commit tree:1 1", "way tree:0", "ours blob:none"}, s.asked)
	store := r.lane.store
	require.Equal(t, commit, store.Tip)
	root, err := object.RootOf(object.SHA1, string(s.objects[commit].Data))
	require.NoError(t, err)
	require.Equal(t, root, store.Root)
	require.Equal(t, 4, store.Trees.Len())
	require.True(t, store.Covers([]string{"way/ours", "way/ours/inner", "none"}))
	require.False(t, store.Covers([]string{"way/ours", "way/theirs"}))
	require.False(t, store.Complete)

	s.asked = nil
	require.NoError(t, scoped(t, r, commit, "way/ours"))
	require.Equal(t, []string{"commit tree:1 1"}, s.asked, "all of it is here")
	s.asked = nil
	require.NoError(t, scoped(t, r, commit, "way/theirs", "way/ours"))
	require.Equal(t, []string{"commit tree:1 1", "theirs blob:none"}, s.asked)
}

func TestAFailedRequestEndsTheFetchOfAFolder(t *testing.T) {
	t.Parallel()
	for broken := 1; broken <= 3; broken++ {
		s, commit := filled()
		s.broken = broken
		r := remoteFor(t, s, Options{})
		require.ErrorIs(t, scoped(t, r, commit, "way/ours"), gitsink.ErrProtocol)
		require.Len(t, s.asked, broken)
		require.Zero(t, r.lane.store.Tip)
	}
	for name, names := range map[string]int{"commit": 1, "way": 2, "ours": 3} {
		s, commit := filled()
		for hash, of := range s.names {
			if of == name {
				delete(s.objects, hash)
			}
		}
		err := scoped(t, remoteFor(t, s, Options{}), commit, "way/ours")
		require.ErrorIs(t, err, object.ErrIncomplete, name)
		require.Len(t, s.asked, names)
		if name == "commit" {
			require.ErrorContains(t, err, "commit "+commit.String())
		}
	}
	s := newShelf()
	damaged := s.put("ours", plumbing.TreeObject, "100644 a\x00short")
	commit := s.put("commit", plumbing.CommitObject, "tree "+s.tree("root", folderEntry("ours", damaged)).String()+"\n")
	require.ErrorIs(t, scoped(t, remoteFor(t, s, Options{}), commit, "ours"), object.ErrDamaged)
}

func TestWhatAFolderHoldsHasABound(t *testing.T) {
	t.Parallel()
	s, commit := filled()
	r := remoteFor(t, s, Options{})
	require.NoError(t, scoped(t, r, commit, "way/ours"))
	all := r.lane.store.Size
	empty := object.NewStore()
	empty.Add(hash("1"), "")
	overhead := empty.Size
	for less, fits := range map[int64]bool{0: true, 1: false} {
		r := remoteFor(t, s, Options{})
		r.sink.opts.MaxHeldBytes = 1 << 20
		sender, err := r.open(t.Context(), smart.UploadPack)
		require.NoError(t, err)
		q := &requester{remote: r, session: sender}
		require.NoError(t, q.trees(t.Context(), nil, ""))
		require.False(t, q.used, "nothing was asked")
		// What the tip before takes.
		r.lane.store.Size = 2<<20 - int64(len(s.objects[rootHash(t, s, commit)].Data)) - overhead + less
		err = q.trees(t.Context(), []object.ID{rootHash(t, s, commit)}, "tree:0")
		require.Equal(t, fits, err == nil, "%v", err)
		if !fits {
			require.ErrorIs(t, err, gitsink.ErrTooLarge)
		}
		sender.Close()
	}
	r = remoteFor(t, s, Options{MaxHeldBytes: all - 1})
	r.sink.opts.TransferTimeout = time.Minute
	require.ErrorIs(t, scoped(t, r, commit, "way/ours"), gitsink.ErrTooLarge)
	require.ErrorIs(t, scoped(t, remoteFor(t, s, Options{MaxPackBytes: 20}), commit, "way/ours"), object.ErrTooMuch)
}

func rootHash(t *testing.T, s *shelf, commit object.ID) object.ID {
	t.Helper()
	root, err := object.RootOf(object.SHA1, string(s.objects[commit].Data))
	require.NoError(t, err)
	return root
}

func TestWhatLiesDeepComesWholeInTheEnd(t *testing.T) {
	t.Parallel()
	s := newShelf()
	hash := s.tree("t40", fileEntry("x", "1"))
	for i := 39; i >= 0; i-- {
		hash = s.tree(fmt.Sprint("t", i), folderEntry("d", hash))
	}
	commit := s.put("commit", plumbing.CommitObject, "tree "+s.tree("root", folderEntry("ours", s.tree("sub", folderEntry("base", hash)))).String()+"\n")
	before := s.put("before", plumbing.CommitObject, "tree "+s.tree("", folderEntry("ours", s.tree("", folderEntry("base", s.tree("", fileEntry("y", "1")))))).String()+"\n")
	r := remoteFor(t, s, Options{})
	require.NoError(t, scoped(t, r, before, "ours/base"))
	s.asked = nil // of the folder most will be here now
	require.NoError(t, scoped(t, r, commit, "ours/base"))
	want := []string{"commit tree:1 1", "sub tree:0"}
	for i := range maxLevels + 2 {
		want = append(want, fmt.Sprintf("t%d tree:0", i))
	}
	require.Equal(t, append(want, "t18 blob:none"), s.asked)

	for deepest, folders := range map[int][]string{0: nil, 1: {""}, 3: {"a", "a/b/c", "d/e"}, 2: {"a/b", "c"}} {
		require.Equal(t, deepest, levels(folders))
	}
}

func TestARequesterOpensASessionOnlyWhereTheLastOneIsUsedUp(t *testing.T) {
	t.Parallel()
	s, commit := filled()
	req := fetchRequest{FetchRequest: smart.FetchRequest{Wants: []object.ID{commit}, Depth: 1}}
	for url, again := range map[string]bool{"http://shelf.example/app": true, "https://shelf.example/app": true, "odd://shelf.example/app": false} {
		r := remoteFor(t, s, Options{})
		sender, err := r.open(t.Context(), smart.UploadPack)
		require.NoError(t, err)
		r.dst.Repository = url
		q := &requester{remote: r, session: sender}
		got, err := q.fetch(t.Context(), req)
		require.NoError(t, err)
		require.Equal(t, 1, got.Commits.Len())
		_, err = q.fetch(t.Context(), req)
		require.Equal(t, again, err == nil, "%v", err)
		if !again {
			require.ErrorContains(t, err, `the protocol "odd" is not spoken`)
		}
		require.Same(t, sender, q.session)
		sender.Close()
	}
	for _, own := range []bool{false, true} {
		w := &closing{}
		(&requester{session: &session{Session: smart.Assume(w, nil)}, own: own}).close()
		require.Equal(t, own, w.closed)
	}
}

// closing is a wire that knows whether it was closed.
type closing struct {
	answered
	closed bool
}

func (c *closing) Close() { c.closed = true }

func TestTheCommitsThatALostPushMayHaveMadeAreFoundInTheHistory(t *testing.T) {
	t.Parallel()
	s, commit := filled()
	r := remoteFor(t, s, Options{})
	found, err := r.ancestors(t.Context(), commit, []object.ID{commit, hexID(otherHash)})
	require.NoError(t, err)
	require.Equal(t, map[object.ID]bool{commit: true}, found)
	require.Equal(t, []string{"commit tree:0 1000"}, s.asked)

	s.broken = 2
	found, err = r.ancestors(t.Context(), commit, []object.ID{commit})
	require.Error(t, err)
	require.Empty(t, found)
	_, err = remoteFor(t, s, Options{MaxPackBytes: 20}).ancestors(t.Context(), commit, nil)
	require.ErrorIs(t, err, object.ErrTooMuch)
}
