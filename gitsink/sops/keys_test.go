package sops_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink/sops"
)

func TestKeysThatCouldCompareNothingAreRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		keys  sops.Keys
		wants []string
	}{
		"nothing":                         {sops.Keys{}, []string{"set Recipients or Config"}},
		"public keys alone":               {sops.Keys{Recipients: recipients(alice)}, []string{"none of the Identities", "DigestKey"}},
		"the identity of somebody else":   {sops.Keys{Recipients: recipients(alice), Identities: identities(bob)}, []string{"none of the Identities"}},
		"a short key":                     {sops.Keys{Recipients: recipients(alice), DigestKey: []byte("short")}, []string{"DigestKey has 5 bytes"}},
		"an empty identity":               {sops.Keys{Recipients: recipients(alice), Identities: make([]sops.Identity, 1)}, []string{"Identities[0]"}},
		"a secret key as a recipient":     {sops.Keys{Recipients: []string{alice.secret}, DigestKey: digestKey}, []string{"Recipients[0]", "what stands there"}},
		"a post-quantum recipient":        {sops.Keys{Recipients: []string{"age1pq1qqq"}, DigestKey: digestKey}, []string{"Recipients[0]", "age1pq1qqq"}},
		"the second of two":               {sops.Keys{Recipients: []string{alice.identity.Recipient(), ""}, DigestKey: digestKey}, []string{"Recipients[1]"}},
		"more recipients than a file has": {sops.Keys{Recipients: manyRecipients(65), DigestKey: digestKey}, []string{"65, more than 64"}},
	} {
		_, err := sops.NewKeyring(c.keys)
		require.ErrorIs(t, err, sops.ErrKeys, name)
		for _, want := range c.wants {
			require.ErrorContains(t, err, want, name)
		}
		require.NotContains(t, err.Error(), alice.secret[20:], name)
	}
	_, err := sops.New(nil)
	require.ErrorIs(t, err, sops.ErrKeys)
	_, err = sops.New(&sops.Options{})
	require.ErrorIs(t, err, sops.ErrKeys)
	_, err = sops.New(&sops.Options{Keyring: &sops.Keyring{}, KeyringFor: ringsOf(nil)})
	require.ErrorIs(t, err, sops.ErrKeys)
	e, err := sops.New(&sops.Options{Keyring: &sops.Keyring{}})
	require.NoError(t, err)
	_, err = e.Encrypt(t.Context(), plainSecret(t))
	require.ErrorIs(t, err, sops.ErrNoKeys, "the zero Keyring has no rule")
}

func manyRecipients(n int) (all []string) {
	for range n {
		all = append(all, newKey().identity.Recipient())
	}
	return all
}

func TestIdentitiesAreReadAsFluxAndSOPSKeepThem(t *testing.T) {
	t.Parallel()
	file := []byte("# created: 2026-01-01\n# public key: " + alice.identity.Recipient() + "\n" + alice.secret + "\r\n\n  " + bob.secret + "  \n")
	for _, name := range []string{"age.agekey", "identity.agekey", ".agekey", "keys.txt", "sops-age-keys.txt", "SOPS_AGE_KEY"} {
		found, err := sops.IdentitiesFromSecret(map[string][]byte{name: file, "identity.asc": []byte("PGP"), "sops.vault-token": []byte("t")})
		require.NoError(t, err, name)
		require.Equal(t, recipients(alice, bob), []string{found[0].Recipient(), found[1].Recipient()}, name)
	}
	found, err := sops.IdentitiesFromSecret(map[string][]byte{"b.agekey": []byte(bob.secret), "a.agekey": []byte(alice.secret)})
	require.NoError(t, err)
	require.Equal(t, alice.identity.Recipient(), found[0].Recipient(), "in the order of the keys")

	bad := alice.secret[:len(alice.secret)-1]
	_, err = sops.IdentitiesFromSecret(map[string][]byte{"a.agekey": []byte("# x\n" + bad), "b.agekey": nil, "c.agekey": []byte(bob.secret)})
	require.ErrorIs(t, err, sops.ErrKeys)
	require.ErrorContains(t, err, `key "a.agekey" of the Secret`)
	require.ErrorContains(t, err, "line 2")
	require.ErrorContains(t, err, `key "b.agekey" of the Secret`)
	require.NotContains(t, err.Error(), bad[20:])
	_, err = sops.IdentitiesFromSecret(map[string][]byte{"identity.asc": []byte("PGP")})
	require.ErrorContains(t, err, ".agekey")
	_, err = sops.ParseIdentities(bytes.Repeat([]byte("#\n"), 1<<20))
	require.ErrorIs(t, err, sops.ErrKeys)
	_, err = sops.ParseIdentities([]byte(strings.Repeat(alice.secret+"\n", 1001)))
	require.ErrorIs(t, err, sops.ErrKeys)
}

func TestKeysShowInNoLogHoweverTheyArePrinted(t *testing.T) {
	t.Parallel()
	keys := sops.Keys{Recipients: recipients(alice), Identities: identities(alice), DigestKey: digestKey}
	ring, err := sops.NewKeyring(keys)
	require.NoError(t, err)
	e, err := sops.New(&sops.Options{Keyring: ring})
	require.NoError(t, err)
	p := plainSecret(t)
	_, err = e.Encrypt(t.Context(), p)
	require.NoError(t, err)
	var log bytes.Buffer
	for _, v := range []any{
		alice.identity, &alice.identity, identities(alice), keys, &keys, ring, *ring, e, *e, map[string]any{"k": keys, "i": alice.identity},
		struct{ K *sops.Keyring }{ring}, struct{ K sops.Keys }{keys}, struct{ I sops.Identity }{alice.identity},
	} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
			fmt.Fprintf(&log, verb+"\n", v)
		}
		text, err := json.Marshal(v)
		require.NoError(t, err)
		log.Write(text)
		slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "v", v)
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "v", v)
		if m, ok := v.(interface{ MarshalLog() any }); ok {
			fmt.Fprintf(&log, "%#v\n", m.MarshalLog())
		}
	}
	for _, hidden := range []string{alice.secret[16:40], fmt.Sprintf("%x", digestKey)[:20], string(digestKey)[:16], fmt.Sprintf("%d", digestKey)[:20]} {
		require.NotContains(t, log.String(), hidden)
	}
	require.Contains(t, log.String(), "the identity of age1")
}
