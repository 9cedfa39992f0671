package sops_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink/sops"
)

func TestAStoredFileThatCannotBeReadIsRefusedAndStays(t *testing.T) {
	t.Parallel()
	p := plainSecret(t)
	e := withIdentities(t, alice)
	good := string(encrypt(t, e, p))
	replace := func(old, new string) string {
		require.Contains(t, good, old)
		return strings.Replace(good, old, new, 1)
	}
	line := func(name string) string {
		_, rest, found := strings.Cut(good, name)
		require.True(t, found)
		text, _, _ := strings.Cut(rest, "\n")
		return name + text
	}
	object, metadata, found := strings.Cut(good, "sops:\n")
	require.True(t, found)
	metadata = "sops:\n" + metadata
	for name, stored := range map[string]string{
		"the plain object":           string(p.Content),
		"text":                       "nothing\n",
		"garbage":                    "\x00\x01\xff{{{",
		"a list":                     "- a\n",
		"two documents":              good + "---\n" + good,
		"no MAC":                     replace(line("mac:"), "mac: ''"),
		"a MAC of another file":      replace(line("mac:"), strings.Replace(line("password:"), "password", "mac", 1)),
		"another time":               replace(line("lastmodified:"), `lastmodified: "2020-01-01T00:00:00Z"`),
		"no time":                    replace(line("lastmodified:"), "lastmodified: yesterday"),
		"values exchanged":           strings.NewReplacer("  password: ", "  user: ", "  user: ", "  password: ").Replace(good),
		"a value in plain":           replace(line("password:"), "password: b3BlbmVk"),
		"a value removed":            replace(line("  password:")+"\n", ""),
		"a value cut off":            replace(line("password:"), line("password:")[:60]),
		"something behind a value":   replace(line("password:"), line("password:")+" more"),
		"a number":                   replace(line("password:"), "password: 12"),
		"a key twice":                replace(line("password:"), line("password:")+"\n  "+line("password:")),
		"a label twice":              replace("    app: shop", "    app: shop\n    app: shop"),
		"an anchor":                  replace("kind: Secret", "kind: &a Secret"),
		"an alias":                   replace("kind: Secret", "kind: &a Secret\nother: *a"),
		"a merge key":                replace("type: Opaque", "<<: {a: b}\ntype: Opaque"),
		"a key that is no text":      replace("type: Opaque", "1: b\ntype: Opaque"),
		"metadata twice":             good + metadata,
		"metadata that are no map":   object + "sops: yes\n",
		"no recipient":               replace(good[strings.Index(good, "  age:\n"):strings.Index(good, "  encrypted_regex")], ""),
		"a data key that is damaged": replace("-----BEGIN AGE ENCRYPTED FILE-----\n      YWdl", "-----BEGIN AGE ENCRYPTED FILE-----\n      YWdm"),
		"groups of keys":             replace("  version:", "  key_groups: [{age: []}]\n  version:"),
		"comments that decide":       replace("  encrypted_regex:", "  encrypted_comment_regex: x\n  encrypted_regex:"),
		"two scopes":                 replace("  encrypted_regex:", "  encrypted_suffix: x\n  encrypted_regex:"),
		"a regex that is none":       replace("^(data|stringData)$", "(("),
		"another scope":              replace("^(data|stringData)$", "^stringData$"),
		"a large file":               good + "# " + strings.Repeat("x", 17<<20),
		"a file of many nodes":       object + "x: [" + strings.Repeat("1,", 1<<20) + "1]\n" + metadata,
		"a file nested deeply":       good + "x: " + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + "\n",
		"a bomb":                     "a: &a [x,x]\n" + bomb() + good,
	} {
		began := time.Now()
		require.False(t, same(t, e, p, []byte(stored)), name)
		refused := p
		refused.Stored = []byte(stored)
		_, err := e.Encrypt(t.Context(), refused)
		require.ErrorIs(t, err, sops.ErrStored, name)
		require.ErrorContains(t, err, p.Path, name)
		require.NotContains(t, err.Error(), "aHVudGVyMi", name)
		require.NotContains(t, err.Error(), "ENC[", name)
		require.Less(t, time.Since(began), 10*time.Second, name)
	}
	require.True(t, same(t, e, p, again(t, e, p, []byte(" \n"))), "an empty file has nothing to lose")
}

func bomb() string {
	var b strings.Builder
	for i := range 20 {
		from, to := string(rune('a'+i)), string(rune('a'+i+1))
		b.WriteString(to + ": &" + to + " [*" + from + ",*" + from + ",*" + from + ",*" + from + "]\n")
	}
	return b.String()
}

func TestAnObjectThatCannotBeASOPSFileIsRefused(t *testing.T) {
	t.Parallel()
	e := withIdentities(t, alice)
	for name, content := range map[string]string{
		"nothing":                   "",
		"an empty object":           "{}\n",
		"text":                      "hidden-text\n",
		"no YAML":                   "hidden-text: [\n",
		"the key of the metadata":   "apiVersion: v1\nkind: Secret\nsops: hidden-text\n",
		"a number that SOPS cannot": "apiVersion: v1\nkind: Secret\nother: 10000000000000000000\n",
	} {
		p := secretNamed("s", []byte(content))
		_, err := e.Encrypt(t.Context(), p)
		require.ErrorIs(t, err, sops.ErrContent, name)
		require.ErrorContains(t, err, p.Path)
		require.NotContains(t, err.Error(), "hidden-text", name)
		_, err = e.Same(t.Context(), p)
		require.True(t, err == nil || errors.Is(err, sops.ErrContent), name)
	}
	p := widget(t, "{}")
	p.Content = []byte("apiVersion: v1\nkind: Widget\nspec: 10000000000000000000\n")
	require.True(t, same(t, e, p, encrypt(t, e, p)), "SOPS can where it is encrypted")
	p.Content = []byte("apiVersion: v1\nkind: Widget\nspec:\n" + strings.Repeat("- a\n", 1<<16))
	_, err := e.Encrypt(t.Context(), p)
	require.ErrorIs(t, err, sops.ErrContent, "what is too large could not be read again")
}

func TestAnEndedContextIsToldAtOnce(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := withIdentities(t, alice).Encrypt(ctx, plainSecret(t))
	require.ErrorIs(t, err, context.Canceled)
	_, err = withIdentities(t, alice).Same(ctx, plainSecret(t))
	require.ErrorIs(t, err, context.Canceled)
}

func TestArgumentsAreNotChanged(t *testing.T) {
	t.Parallel()
	e, p := withIdentities(t, alice), plainSecret(t)
	stored := encrypt(t, e, p)
	p.Stored = bytes.Clone(stored)
	content := bytes.Clone(p.Content)
	file := encrypt(t, e, p)
	clear(file)
	require.Equal(t, content, p.Content)
	require.Equal(t, stored, p.Stored)
}
