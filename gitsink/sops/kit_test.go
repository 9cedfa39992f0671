package sops_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/gitsink/gitsinktest"
	"github.com/kubescribe/kubescribe/gitsink/sops"
)

func TestTheEncryptorKeepsItsContract(t *testing.T) {
	t.Parallel()
	for name, keysOf := range map[string]func(key) sops.Keys{
		"identities":  func(k key) sops.Keys { return sops.Keys{Recipients: recipients(k), Identities: identities(k)} },
		"public keys": func(k key) sops.Keys { return sops.Keys{Recipients: recipients(k), DigestKey: digestKey} },
	} {
		t.Run(name, func(t *testing.T) {
			j := newJudge(t, alice.secret)
			gitsinktest.TestEncryptor(t, gitsinktest.EncryptorHarness{
				New: func(t testing.TB) event.Encryptor {
					return tenants(t, map[string]sops.Keys{"team": keysOf(alice), "other": keysOf(carol)})
				},
				Other:   func(t testing.TB) event.Encryptor { return encryptor(t, keysOf(bob)) },
				Decrypt: func(t testing.TB, file []byte) ([]byte, error) { return j.decrypt(t, file) },
				To:      prod, OtherTo: destination.Destination{Ref: destination.Ref{Namespace: "other", Name: "prod"}},
			})
		})
	}
}

// tenants is the Encryptor of namespaces that have keys of their own.
func tenants(t testing.TB, keys map[string]sops.Keys) *sops.Encryptor {
	t.Helper()
	rings := map[string]*sops.Keyring{}
	for namespace, k := range keys {
		ring, err := sops.NewKeyring(k)
		require.NoError(t, err)
		rings[namespace] = ring
	}
	e, err := sops.New(&sops.Options{KeyringFor: ringsOf(rings)})
	require.NoError(t, err)
	return e
}
