package sops_test

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/yaml"

	"github.com/kubescribe/kubescribe/gitsink/sops"
	"github.com/kubescribe/kubescribe/internal/testsize"
)

func TestSOPSDecryptsWhatIsWrittenHere(t *testing.T) {
	t.Parallel()
	j := newJudge(t, bob.secret)
	c := &chance{Rand: testsize.Chance(t)}
	encryptors := map[string]*sops.Encryptor{
		"identities": withIdentities(t, alice, bob), "public keys": withPublicKeys(t, alice, bob),
		"a MAC of everything": encryptor(t, sops.Keys{
			Recipients: recipients(alice, bob), Identities: identities(alice), Config: []byte("creation_rules: [{mac_only_encrypted: false}]"),
		}),
	}
	for i := range (testsize.Sizes{Short: 20, Usual: 60, Long: 200, Soak: 10_000}).Pick() {
		p := c.object(t, i)
		for name, e := range encryptors {
			file, err := e.Encrypt(t.Context(), p)
			require.NoErrorf(t, err, "%s: %s", name, p.Content)
			for _, hidden := range c.hidden {
				require.NotContains(t, string(file), hidden, name)
			}
			plain, err := j.decrypt(t, file)
			require.NoErrorf(t, err, "%s: %s\n%s", name, p.Content, file)
			requireSameObject(t, p.Content, plain)
			require.True(t, same(t, e, p, file), name)
		}
	}
}

// requireSameObject compares what Kubernetes reads in both.
func requireSameObject(t testing.TB, want, got []byte) {
	t.Helper()
	var wanted, gotten any
	require.NoError(t, yaml.Unmarshal(want, &wanted))
	require.NoError(t, yaml.Unmarshal(got, &gotten))
	require.Equal(t, wanted, gotten)
}

func TestWhatSOPSWritesIsTakenForWhatItIs(t *testing.T) {
	t.Parallel()
	j := newJudge(t, alice.secret)
	c := &chance{Rand: testsize.Chance(t)}
	e := withIdentities(t, alice)
	for i := range (testsize.Sizes{Short: 20, Usual: 50, Long: 100, Soak: 1000}).Pick() {
		p := c.object(t, i)
		q := question{Op: "encrypt", File: p.Content, Recipients: alice.identity.Recipient(), EncryptedRegex: regexOf(t, encrypt(t, e, p)), MACOnlyEncrypted: true}
		theirs, err := j.ask(t, q)
		if err != nil {
			// SOPS cannot encrypt such numbers
			require.ErrorContains(t, err, "uint64", "%s", p.Content)
			continue
		}
		require.Truef(t, same(t, e, p, theirs.File), "%s\n%s", p.Content, theirs.File)
		other := c.object(t, i)
		if !bytes.Equal(other.Content, p.Content) {
			other.Path, other.Resource = p.Path, p.Resource
			require.False(t, same(t, e, other, theirs.File))
		}
		q.MACOnlyEncrypted = false
		theirs, err = j.ask(t, q)
		require.NoError(t, err)
		require.False(t, same(t, e, p, theirs.File), "it is encrypted otherwise")
		plain, err := j.decrypt(t, again(t, e, p, theirs.File))
		require.NoError(t, err, "and was opened")
		requireSameObject(t, p.Content, plain)
	}
}

func regexOf(t testing.TB, file []byte) string {
	t.Helper()
	var f struct {
		SOPS struct {
			Regex string `json:"encrypted_regex"`
		} `json:"sops"`
	}
	require.NoError(t, yaml.Unmarshal(file, &f))
	return f.SOPS.Regex
}

// A byte may be flipped where nothing depends on it: in a comment, in how YAML is written, in what
// is readable. Then both must still find the hidden values as they were.
func TestAFlippedByteIsNoticedByBoth(t *testing.T) {
	t.Parallel()
	j := newJudge(t, alice.secret)
	c := testsize.Chance(t)
	for name, config := range map[string]string{"the MAC of what is hidden": "", "a MAC of everything": "creation_rules: [{mac_only_encrypted: false}]"} {
		e := encryptor(t, sops.Keys{Recipients: recipients(alice), Identities: identities(alice), Config: []byte(config)})
		p := plainSecret(t)
		file := encrypt(t, e, p)
		refused, accepted := 0, 0
		for range (testsize.Sizes{Short: 100, Usual: 300, Long: 1000, Soak: 20_000}).Pick() {
			at := c.IntN(len(file))
			flipped := bytes.Clone(file)
			flipped[at] ^= 1 << c.IntN(8)
			plain, err := j.decrypt(t, flipped)
			ours := same(t, e, p, flipped)
			p.Stored = flipped
			_, oursErr := e.Encrypt(t.Context(), p)
			if err != nil {
				refused++
				require.False(t, ours, "%s, byte %d: SOPS refuses it: %v\n%s", name, at, err, flipped)
				require.ErrorIs(t, oursErr, sops.ErrStored, "%s, byte %d: SOPS refuses it: %v\n%s", name, at, err, flipped)
				continue
			}
			accepted++
			if ours {
				requireSameObject(t, p.Content, plain)
			}
			requireSameHidden(t, p.Content, plain)
			if config != "" {
				requireSameLeaves(t, p.Content, plain)
			}
		}
		t.Logf("%s: %d refused by both, %d harmless", name, refused, accepted)
		require.Greater(t, refused, accepted)
	}
}

// requireSameHidden compares what is hidden. That a value is empty, and its name, is covered by
// nothing.
func requireSameHidden(t testing.TB, want, got []byte) {
	t.Helper()
	hidden := func(text []byte) map[string]any {
		var object struct {
			Data map[string]any `json:"data"`
		}
		require.NoError(t, yaml.Unmarshal(text, &object))
		maps.DeleteFunc(object.Data, func(_ string, v any) bool { return v == "" || v == nil })
		return object.Data
	}
	require.Equal(t, hidden(want), hidden(got))
}

// requireSameLeaves compares all values. A MAC has neither names nor nulls in it.
func requireSameLeaves(t testing.TB, want, got []byte) {
	t.Helper()
	leaves := func(text []byte) []string {
		var object any
		require.NoError(t, yaml.Unmarshal(text, &object))
		all := leavesOf(object)
		slices.Sort(all)
		return all
	}
	require.Equal(t, leaves(want), leaves(got))
}

func leavesOf(v any) (all []string) {
	switch v := v.(type) {
	case map[string]any:
		for _, value := range v {
			all = append(all, leavesOf(value)...)
		}
	case []any:
		for _, value := range v {
			all = append(all, leavesOf(value)...)
		}
	case nil:
	default:
		if text := fmt.Sprint(v); text != "" {
			all = append(all, text)
		}
	}
	return all
}

func TestTheCommandDecryptsAndEdits(t *testing.T) {
	t.Parallel()
	for name, e := range map[string]*sops.Encryptor{"identities": withIdentities(t, alice), "public keys": withPublicKeys(t, alice)} {
		p := plainSecret(t)
		file := encrypt(t, e, p)
		_, printed, err := command(t, file, alice.identity, "", "decrypt")
		require.NoError(t, err)
		requireSameObject(t, p.Content, printed)

		edited, _, err := command(t, file, alice.identity, `sed -i 's/aHVudGVyMi1pcy1teS1wYXNzd29yZA==/Y2hhbmdlZA==/' "$1"`, "edit")
		require.NoError(t, err)
		require.Equal(t, bytes.SplitN(file, []byte("\n"), 2)[0], bytes.SplitN(edited, []byte("\n"), 2)[0], "%s: the comment stays", name)
		require.False(t, same(t, e, p, edited), "%s: an edit is noticed", name)
		mended := again(t, e, p, edited)
		require.True(t, same(t, e, p, mended), name)
		_, printed, err = command(t, mended, alice.identity, "", "decrypt")
		require.NoError(t, err)
		requireSameObject(t, p.Content, printed)

		_, _, err = command(t, file, bob.identity, "", "decrypt")
		require.Error(t, err, "another key does not open it")
	}
}

func TestWhatSOPSOnlyWritesAnewIsTheSame(t *testing.T) {
	t.Parallel()
	e, p := withIdentities(t, alice), plainSecret(t)
	file := encrypt(t, e, p)
	// it changes a value back and forth, so that SOPS writes all of the file in its own manner
	there, _, err := command(t, file, alice.identity, `sed -i 's/app: shop/app: other/' "$1"`, "edit")
	require.NoError(t, err)
	back, _, err := command(t, there, alice.identity, `sed -i 's/app: other/app: shop/' "$1"`, "edit")
	require.NoError(t, err)
	require.NotEqual(t, file, back)
	require.True(t, same(t, e, p, back))
}

func TestACommentOfAPersonIsNoPartOfTheObject(t *testing.T) {
	t.Parallel()
	e := withIdentities(t, alice)
	p := widget(t, "{apiVersion: example.com/v1, kind: Widget, metadata: {name: w}, spec: {list: [one, two], map: {a: b}}}")
	file := encrypt(t, e, p)
	edited, _, err := command(t, file, alice.identity, `sed -i 's/^\( *\)- one/\1# who owns it\n&/; s/^\( *\)a: b/\1# why\n&/; s/two$/two # inline/' "$1"`, "edit")
	require.NoError(t, err)
	require.Equal(t, 3, strings.Count(string(edited), "type:comment]"), "%s", edited)
	require.True(t, same(t, e, p, edited))
	_, printed, err := command(t, again(t, e, p, edited), alice.identity, "", "decrypt")
	require.NoError(t, err)
	requireSameObject(t, p.Content, printed)
}
