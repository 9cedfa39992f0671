package sops_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/gitsink/sops"
)

// FuzzStored has anybody's bytes stand where a Secret is to be written.
func FuzzStored(f *testing.F) {
	p := secretNamed("s", []byte("apiVersion: v1\ndata:\n  password: aGlkZGVuLXBhc3N3b3Jk\nkind: Secret\n"))
	e, public := withIdentities(f, alice), withPublicKeys(f, alice)
	file := encrypt(f, e, p)
	for _, seed := range [][]byte{
		file, encrypt(f, public, p), p.Content, file[:len(file)/2], []byte("sops: {age: [{}], mac: x, lastmodified: '2026-01-01T00:00:00Z'}\n"),
		[]byte("a: &a [*a]\n"), []byte("- - - - - -\n"), []byte("? ? ? x\n"), []byte("a: !!binary x\nb: !!int 'z'\n"), []byte("\xff\xfe\x00"), []byte("{sops: {age: []}}"),
		bytes.Replace(file, []byte("type:str]"), []byte("type:int]"), 1), []byte("# kubescribe: a b\nsops:\n"),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, stored []byte) {
		began := time.Now()
		for _, enc := range []*sops.Encryptor{e, public} {
			q := p
			q.Stored = bytes.Clone(stored)
			ok, err := enc.Same(t.Context(), q)
			require.NoError(t, err)
			made, err := enc.Encrypt(t.Context(), q)
			require.True(t, bytes.Equal(stored, q.Stored), "what is stored is not changed")
			if err != nil {
				require.ErrorIs(t, err, sops.ErrStored)
				require.False(t, ok, "what cannot be read is not the same")
				continue
			}
			require.True(t, same(t, enc, p, made))
			require.NotContains(t, string(made), "aGlkZGVu")
		}
		require.Less(t, time.Since(began), 20*time.Second)
	})
}

// FuzzContent encrypts any object that there is.
func FuzzContent(f *testing.F) {
	for _, seed := range []string{
		"apiVersion: v1\nkind: Secret\ndata: {a: b}\n", "kind: Widget\nspec: {a: [1, 2.5, true, null, '']}\n", "spec: [[[]]]\nx: {}\n",
		"spec: 1e400\n", "spec: 18446744073709551615\n", "spec: -0.0\nother: 1.0\n", "'a:b': {c: 1}\na: {'b:c': 1}\n", "data: '<<'\n", "sops: x\n",
	} {
		f.Add([]byte(seed), false)
		f.Add([]byte(seed), true)
	}
	e := withIdentities(f, alice)
	f.Fuzz(func(t *testing.T, text []byte, secret bool) {
		var object map[string]any
		if yaml.Unmarshal(text, &object) != nil || len(object) == 0 {
			return
		}
		content, err := event.Encode(&unstructured.Unstructured{Object: object})
		if err != nil {
			return
		}
		p := widget(t, "{}")
		if secret {
			p = secretNamed("s", nil)
		}
		p.Content = content
		file, err := e.Encrypt(t.Context(), p)
		if err != nil {
			require.True(t, errors.Is(err, sops.ErrContent) || errors.Is(err, sops.ErrExposed), "%v\n%s", err, content)
			return
		}
		require.True(t, same(t, e, p, file), "%s\n%s", content, file)
		require.True(t, same(t, e, p, again(t, e, p, file)))
		other := p
		other.Content = append([]byte("aaa: b\n"), content...)
		if !strings.Contains(string(content), "aaa") {
			require.False(t, same(t, e, other, file))
		}
	})
}
