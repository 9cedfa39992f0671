package sops_test

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/gitsink/sops"
)

func TestOneChangedKeyIsOneChangedLine(t *testing.T) {
	t.Parallel()
	e, p := withIdentities(t, alice, bob), plainSecret(t)
	before := encrypt(t, e, p)
	p.Content = bytes.Replace(p.Content, []byte("aHVudGVyMi1pcy1teS1wYXNzd29yZA=="), []byte("Y2hhbmdlZA=="), 1)
	after := again(t, e, p, before)
	lines := differing(after, before)
	require.Contains(t, lines[0], "password: ENC[")
	for _, line := range lines[1:] { // lastmodified stays within a second
		require.True(t, strings.HasPrefix(line, "mac: ") || strings.HasPrefix(line, "lastmodified: "), line)
	}
	require.Contains(t, strings.Join(lines, "\n"), "mac: ")
	require.True(t, same(t, e, p, after))
}

func TestAChangedLabelChangesNeitherValuesNorTheMAC(t *testing.T) {
	t.Parallel()
	e, p := withIdentities(t, alice), plainSecret(t)
	before := encrypt(t, e, p)
	p.Content = bytes.Replace(p.Content, []byte("app: shop"), []byte("app: store"), 1)
	require.False(t, same(t, e, p, before))
	require.Equal(t, []string{"app: store"}, differing(again(t, e, p, before), before))
}

func TestASecondEncryptorFindsWhatTheFirstHasWritten(t *testing.T) {
	t.Parallel()
	p := plainSecret(t)
	for name, pair := range map[string][2]*sops.Encryptor{
		"identities": {withIdentities(t, alice), withIdentities(t, alice)}, "public keys": {withPublicKeys(t, alice), withPublicKeys(t, alice)},
	} {
		file := encrypt(t, pair[0], p)
		require.True(t, same(t, pair[1], p, file), name)
		require.NotEqual(t, file, encrypt(t, pair[0], p), "%s: nonces are not derived from the content", name)
		other := p
		other.Content = bytes.Replace(p.Content, []byte("user:"), []byte("name:"), 1)
		require.False(t, same(t, pair[1], other, file), name)
	}
}

func TestEqualValuesOfAListKeepTheirPlaces(t *testing.T) {
	t.Parallel()
	e := withIdentities(t, alice)
	p := widget(t, `{apiVersion: example.com/v1, kind: Widget, metadata: {name: w}, spec: {list: [one, two, one, 1, "1", 1.5, true, "", null, [], {}]}}`)
	before := encrypt(t, e, p)
	require.True(t, same(t, e, p, before))
	turned := widget(t, `{apiVersion: example.com/v1, kind: Widget, metadata: {name: w}, spec: {list: [two, one, one, 1, "1", 1.5, true, "", null, [], {}]}}`)
	require.False(t, same(t, e, turned, before))
	after := again(t, e, turned, before)
	require.True(t, same(t, e, turned, after))
	for _, line := range differing(after, before) {
		require.True(t, strings.HasPrefix(line, "mac: ") || strings.HasPrefix(line, "lastmodified: "), "a value has been encrypted anew: %s", line)
	}
}

func TestOtherRecipientsAreNotTheSameAndGetANewDataKey(t *testing.T) {
	t.Parallel()
	p := plainSecret(t)
	one, two := withIdentities(t, alice), withIdentities(t, alice, bob)
	first := encrypt(t, one, p)
	for _, c := range []struct {
		name     string
		before   []byte
		to, from *sops.Encryptor
	}{
		{"one comes", first, two, one},
		{"one goes", encrypt(t, two, p), one, two},
		{"all change", first, encryptor(t, sops.Keys{Recipients: recipients(carol), Identities: identities(carol, alice)}), one},
	} {
		require.False(t, same(t, c.to, p, c.before), c.name)
		after := again(t, c.to, p, c.before)
		require.True(t, same(t, c.to, p, after), c.name)
		require.False(t, same(t, c.from, p, after), c.name)
		for line := range strings.Lines(string(c.before)) {
			if strings.Contains(line, "ENC[") {
				require.NotContains(t, string(after), line, "%s: a value is encrypted as the former recipients know it", c.name)
			}
		}
	}
}

func TestOtherKindsOfKeysAreTakenOut(t *testing.T) {
	t.Parallel()
	e, p := withIdentities(t, alice), plainSecret(t)
	file := string(encrypt(t, e, p))
	for _, kind := range []string{"pgp", "kms", "gcp_kms", "azure_kv", "hc_vault", "hckms"} {
		more := strings.Replace(file, "  lastmodified:", "  "+kind+":\n  - enc: theirs\n  lastmodified:", 1)
		require.False(t, same(t, e, p, []byte(more)), "%s: others could read it", kind)
		require.NotContains(t, string(again(t, e, p, []byte(more))), kind+":")
		none := strings.Replace(file, "  lastmodified:", "  "+kind+": []\n  lastmodified:", 1)
		require.True(t, same(t, e, p, []byte(none)), "older versions of SOPS write empty lists")
	}
}

// Somebody who may write to the repository and read it, and has no identity, puts a file there
// whose data key they know. If that key was used again, they could read the Secret.
func TestADataKeyOfSomebodyElseIsNotUsed(t *testing.T) {
	t.Parallel()
	p := plainSecret(t)
	ours := withIdentities(t, alice)
	theirs := encryptor(t, sops.Keys{Recipients: recipients(alice, carol), Identities: identities(carol)})
	guess := p
	guess.Content = bytes.Replace(p.Content, []byte("aHVudGVyMi1pcy1teS1wYXNzd29yZA=="), []byte("AAAA"), 1)
	forged := encrypt(t, theirs, guess) // they hold carol's identity, and so know the data key
	carols := func(file []byte) []byte {
		// they hide themselves: the entry of carol goes
		at := bytes.Index(file, []byte("    recipient: "+carol.identity.Recipient()))
		begin := bytes.LastIndex(file[:at], []byte("  - enc: |"))
		return append(bytes.Clone(file[:begin]), file[at+len("    recipient: \n")+len(carol.identity.Recipient()):]...)
	}
	hidden := carols(forged)
	require.True(t, same(t, encryptor(t, sops.Keys{Recipients: recipients(alice), Identities: identities(alice)}), guess, hidden), "it is a proper file")
	after := again(t, ours, p, hidden)
	for _, line := range encrypted(forged) {
		require.NotContains(t, string(after), line, "what they have encrypted is used again")
	}
	require.True(t, same(t, ours, p, after))
}

// A former recipient brings a file back from the history of Git, whose data key they know.
func TestADataKeyOfAFormerRecipientIsNotUsed(t *testing.T) {
	t.Parallel()
	p := plainSecret(t)
	both := encrypt(t, withIdentities(t, alice, bob), p)
	now := withIdentities(t, alice)
	p.Content = bytes.Replace(p.Content, []byte("aHVudGVyMi1pcy1teS1wYXNzd29yZA=="), []byte("Y2hhbmdlZA=="), 1)
	after := again(t, now, p, both)
	for _, line := range encrypted(both) {
		require.NotContains(t, string(after), line)
	}
	alone := encrypt(t, now, p)
	// bob comes: he must not learn the key of before
	shared := again(t, withIdentities(t, alice, bob), p, alone)
	for _, line := range encrypted(alone) {
		require.NotContains(t, string(shared), line)
	}
}

// encrypted are the encrypted values of a file.
func encrypted(file []byte) (lines []string) {
	for line := range strings.Lines(string(file)) {
		if _, value, ok := strings.Cut(line, "ENC["); ok {
			lines = append(lines, value)
		}
	}
	return lines
}

func TestADestinationHasKeysOfItsOwn(t *testing.T) {
	t.Parallel()
	e := tenants(t, map[string]sops.Keys{
		"a": {Recipients: recipients(alice), Identities: identities(alice)}, "b": {Recipients: recipients(bob), Identities: identities(bob)},
	})
	p := plainSecret(t)
	p.Destination.Ref = destination.Ref{Namespace: "a", Name: "prod"}
	file := encrypt(t, e, p)
	require.True(t, same(t, e, p, file))
	require.Contains(t, string(file), alice.identity.Recipient())
	require.NotContains(t, string(file), bob.identity.Recipient())
	p.Destination.Ref = destination.Ref{Namespace: "b", Name: "prod"}
	require.False(t, same(t, e, p, file))
	p.Stored = file
	_, err := e.Encrypt(t.Context(), p)
	require.ErrorIs(t, err, sops.ErrRecipient)
	p.Destination.Ref = destination.Ref{Namespace: "c", Name: "prod"}
	_, err = e.Encrypt(t.Context(), p)
	require.ErrorIs(t, err, sops.ErrNoKeys)
	require.ErrorContains(t, err, "c/prod")
	_, err = e.Same(t.Context(), p)
	require.ErrorIs(t, err, sops.ErrNoKeys)
}

func TestPublicKeysComparedByADigest(t *testing.T) {
	t.Parallel()
	e, p := withPublicKeys(t, alice), plainSecret(t)
	file := encrypt(t, e, p)
	require.True(t, same(t, e, p, file))
	require.True(t, strings.HasPrefix(string(file), "# kubescribe: "))

	moved := p
	moved.Path = "clusters/prod/team/secrets/other.yaml"
	require.False(t, same(t, e, moved, file), "the path is part of the digest")
	other := p
	other.Destination.Ref.Name = "dev"
	require.False(t, same(t, e, other, file), "and so is the destination")
	require.False(t, same(t, withPublicKeys(t, alice, bob), p, file), "and so are the recipients")
	require.False(t, same(t, encryptor(t, sops.Keys{Recipients: recipients(alice), DigestKey: bytes.Repeat([]byte("x"), 32)}), p, file))

	require.False(t, same(t, encryptor(t, sops.Keys{
		Recipients: recipients(alice), DigestKey: digestKey, Config: []byte("creation_rules: [{encrypted_regex: ^(data|stringData|app)$}]"),
	}), p, file), "and so is the scope")

	// what this package has not written as it stands is no more the same, and is written once
	for name, stored := range map[string][]byte{
		"an edited value":        bytes.Replace(file, []byte("app: shop"), []byte("app: store"), 1),
		"a file without digests": file[bytes.IndexByte(file, '\n')+1:],
	} {
		require.False(t, same(t, e, p, stored), name)
		mended := again(t, e, p, stored)
		require.True(t, same(t, e, p, mended), name)
	}
	p.Stored = file[bytes.IndexByte(file, '\n')+1:]
	_, err := withPublicKeys(t, bob).Encrypt(t.Context(), p)
	require.ErrorIs(t, err, sops.ErrRecipient, "a file for somebody else that nobody here has written")
	require.ErrorIs(t, err, sops.ErrStored)
	require.True(t, same(t, withPublicKeys(t, bob), p, again(t, withPublicKeys(t, bob), p, file)), "one that was written here may change hands")
}

func TestAFileOfAnotherRecipientStays(t *testing.T) {
	t.Parallel()
	p := plainSecret(t)
	p.Stored = encrypt(t, withIdentities(t, bob), p)
	e := withIdentities(t, alice)
	require.False(t, same(t, e, p, p.Stored))
	_, err := e.Encrypt(t.Context(), p)
	require.ErrorIs(t, err, sops.ErrRecipient)
	require.ErrorContains(t, err, p.Path)
	_, err = encryptor(t, sops.Keys{Recipients: recipients(alice, bob), Identities: identities(alice)}).Encrypt(t.Context(), p)
	require.ErrorIs(t, err, sops.ErrRecipient, "also when it is for one of today's, and others could be read")
	back := encryptor(t, sops.Keys{Recipients: recipients(alice), Identities: identities(alice, bob)})
	require.True(t, same(t, e, p, again(t, back, p, p.Stored)), "with the old identity it changes hands")
}

func ringsOf(rings map[string]*sops.Keyring) func(context.Context, destination.Destination) (*sops.Keyring, error) {
	return func(_ context.Context, d destination.Destination) (*sops.Keyring, error) {
		return rings[d.Ref.Namespace], nil
	}
}

var _ event.Encryptor = (*sops.Encryptor)(nil)
