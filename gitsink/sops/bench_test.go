package sops_test

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/event"
)

// tenThousand are Secrets of three values, 1 kB in all.
func tenThousand(b *testing.B) []event.Plaintext {
	all := make([]event.Plaintext, 10_000)
	source := rand.New(rand.NewPCG(1, 1))
	for i := range all {
		data := map[string]any{}
		for _, name := range []string{"password", "tls.crt", "tls.key"} {
			raw := make([]byte, 250)
			for j := range raw {
				raw[j] = byte(source.Uint32())
			}
			data[name] = base64.StdEncoding.EncodeToString(raw)
		}
		name := fmt.Sprintf("s%d", i)
		all[i] = secretNamed(name, encode(b, map[string]any{
			"apiVersion": "v1", "kind": "Secret", "metadata": map[string]any{"name": name, "namespace": "team"}, "data": data,
		}))
	}
	return all
}

// BenchmarkEncrypt10000 encrypts 10,000 Secrets that no file is stored of.
func BenchmarkEncrypt10000(b *testing.B) {
	all, e := tenThousand(b), withIdentities(b, alice)
	b.ReportAllocs()
	for b.Loop() {
		for _, p := range all {
			_, err := e.Encrypt(b.Context(), p)
			require.NoError(b, err)
		}
	}
}

// BenchmarkSame10000 compares them with their files, as a restart does.
func BenchmarkSame10000(b *testing.B) {
	for _, keys := range []string{"identities", "public keys"} {
		b.Run(keys, func(b *testing.B) {
			all, e := tenThousand(b), withIdentities(b, alice)
			if keys == "public keys" {
				e = withPublicKeys(b, alice)
			}
			for i := range all {
				all[i].Stored = encrypt(b, e, all[i])
			}
			b.ReportAllocs()
			for b.Loop() {
				for _, p := range all {
					ok, err := e.Same(b.Context(), p)
					require.NoError(b, err)
					require.True(b, ok)
				}
			}
		})
	}
}
