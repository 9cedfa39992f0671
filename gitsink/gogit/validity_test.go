package gogit

import (
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/gogittest"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/object"
	"github.com/kubescribe/kubescribe/internal/testsize"
)

// proposal is what a fuzzer can say of a plan: two commits in a base folder, on top of a file of
// somebody else.
type proposal struct {
	folder, first, second      string
	content                    []byte
	message                    string
	name, email, cName, cEmail string
	when                       int64
	remove                     bool
}

func (p proposal) commits() []gitsink.Commit {
	author := gitsink.Signature{Name: p.name, Email: p.email, When: time.Unix(p.when, 0)}
	committer := gitsink.Signature{Name: p.cName, Email: p.cEmail}
	return []gitsink.Commit{
		{Author: author, Committer: committer, Message: p.message, Changes: writes(p.first, string(p.content))},
		{Author: committer, Committer: author, Message: string(p.content), Changes: []gitsink.Change{
			{Path: p.second, Data: []byte(p.message)}, {Path: p.first, Data: []byte(p.name), Remove: p.remove},
		}},
	}
}

// hostile are proposals that have broken what others write, and that came out of the fuzzer.
func hostile() []proposal {
	var all []proposal
	plain := proposal{
		folder: "base", first: "ns/configmaps/a.yaml", second: "b.yaml", content: []byte("a: 1\n"), message: "update\n\nbody", name: "Ann", email: "ann@example.com",
	}
	for _, name := range []string{
		"<", ">", "a\nparent 0", "a <b> c", "\x00", " ", ".,;", "\xff", "a\r\nb", "\u2028", "oidc:https://issuer.example#a|b", `"quoted"`, strings.Repeat("n", 3000),
	} {
		p := plain
		p.name, p.email, p.cName, p.cEmail = name, name, "C"+name, name+"@x"
		all = append(all, p)
		p.name, p.email, p.message = "", "", name
		all = append(all, p)
	}
	for _, path := range []string{
		"a/b", "A", "a", "a.", "a0", "a-", "a/b/c", "b.yaml/x", "b.yaml", "..", "../a", "/a", "", ".git", "x/.GIT", "git~1", ".g\u200cit", "v1..2", ".gitmodules",
		".gitattributes", ".GitAttributes", ".gitmodules ", "gi7eba~1", "x/gitatt~1", ".gitignore", ".mailmap", "a:b", "con", "\xff", "a\nb", "keep", "keep/x",
	} {
		p := plain
		p.first, p.second, p.remove = path, path, true
		all = append(all, p)
		p.remove, p.second = false, "other"
		all = append(all, p)
		p.first, p.folder = "x", path
		all = append(all, p)
	}
	for _, content := range []string{
		"", "\x00", "[submodule \"..\"]\n\tpath = -x\n\turl = -u\n", "[submodule", "a text\n" + strings.Repeat("x", 2047), strings.Repeat("x", 2048) + "\na", "a\nb\r\n",
	} {
		for _, path := range []string{"a", ".gitmodules", ".gitattributes", "sub/.gitattributes"} {
			p := plain
			p.first, p.content = path, []byte(content)
			all = append(all, p)
		}
	}
	for _, when := range []int64{-1, 0, 1, 1 << 31, 1 << 40, 1 << 62, -1 << 63} {
		p := plain
		p.when = when
		all = append(all, p)
	}
	return all
}

// Whatever comes in, git fsck --strict accepts what becomes of it, or the error names the path.
func TestWhateverComesInIsValidOrNamed(t *testing.T) {
	t.Parallel()
	testsize.Sampled(t)
	repo := gogittest.NewBareRepo(t)
	written := 0
	for _, p := range hostile() {
		if tip, ok := p.write(t, repo); ok {
			repo.Branch(t, fmt.Sprint("b", written), tip.String())
			written++
		}
	}
	require.Greater(t, written, 50)
	require.Less(t, written, len(hostile()))
	require.Empty(t, repo.Fsck(t))
}

// FuzzValidity is TestWhateverComesInIsValidOrNamed with what a fuzzer thinks of.
func FuzzValidity(f *testing.F) {
	// Otherwise the test has them, with one run of git.
	if fuzzing := flag.Lookup("test.fuzz"); fuzzing != nil && fuzzing.Value.String() != "" {
		for i, p := range hostile() {
			if i%5 > 0 {
				continue // the fuzzer runs git for each before it begins
			}
			f.Add(p.folder, p.first, p.second, p.content, p.message, p.name, p.email, p.cName, p.cEmail, p.when, p.remove)
		}
	}
	f.Fuzz(func(t *testing.T, folder, first, second string, content []byte, message, name, email, cName, cEmail string, when int64, remove bool) {
		repo := gogittest.NewBareRepo(t)
		p := proposal{folder, first, second, content, message, name, email, cName, cEmail, when, remove}
		if tip, ok := p.write(t, repo); ok {
			repo.Branch(t, "main", tip.String())
			require.Empty(t, repo.Fsck(t))
		}
	})
}

// write makes the commits in a repository, unless the sink refuses to.
func (p proposal) write(t *testing.T, repo gogittest.BareRepo) (tip object.ID, ok bool) {
	if target("https://git.example/app", "main", p.folder).Validate() != nil {
		return object.ID{}, false
	}
	keep := object.New(object.SHA1, plumbing.BlobObject, []byte("1"))
	root := object.New(object.SHA1, plumbing.TreeObject, fmt.Appendf(nil, "100644 keep\x00%s", keep.Hash.Bytes()))
	s := object.NewStore()
	s.Add(root.Hash, string(root.Data))
	s.Root = root.Hash
	encode := func(root, parent object.ID, commit gitsink.Commit, now time.Time) ([]byte, error) {
		return object.EncodeCommit(root, parent, commit, gitsink.Signature{Name: "kubescribe", Email: "kubescribe@localhost"}, now), nil
	}
	draft, err := newPushStack(object.SHA1, s, object.ID{}).build(p.folder, p.commits(), encode)
	if err != nil {
		require.ErrorIs(t, err, gitsink.ErrPath)
		named := false
		for _, path := range []string{p.first, p.second} {
			named = named || strings.Contains(err.Error(), fmt.Sprintf("%q", path)) || strings.Contains(err.Error(), fmt.Sprintf("%q", object.Join(p.folder, path)))
		}
		require.True(t, named, "%v", err)
		return object.ID{}, false
	}
	for _, o := range append(draft.objects, keep, root) {
		repo.Write(t, o.Hash.String(), o.Kind.String(), o.Data)
	}
	return draft.tip, len(draft.commits) > 0
}
