package sops_test

import (
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/kubescribe/kubescribe/event"
)

// chance makes random objects.
type chance struct {
	*rand.Rand
	hidden []string // the values that must not be readable, so far
}

// texts are what YAML, SOPS or Kubernetes may take for something else.
var texts = []string{
	"", "true", "False", "null", "~", "yes", "n", "0", "007", "1e3", "-1.5", "0x1F", "1_000", ".inf", "2024-01-01", "2024-01-01T00:00:00Z",
	"12:30:45", "ENC[AES256_GCM,data:AA==,iv:AA==,tag:AA==,type:str]", "# no comment", "key: value", "- item", "*alias", "&anchor", "!tag", "<<",
	"line one\nline two\n", "\n\nfirst", "trailing blank \nnext", "tab\tand\r\nreturn", "no newline at the end\nx", " leading", "trailing ", "'quoted'", `"quoted"`,
	"größer als ü", "日本語のパスワード", "emoji \U0001F511", "\u0085\u2028", "\x00\x01", "{{ template }}", "sops", "%", "@", "`", "| literal", "> folded",
	"https://user:pass@example.com/?a=b#c", strings.Repeat("long ", 200),
}

var keys = []string{
	"password", "tls.crt", ".dockerconfigjson", "a.b.c", "A_B-C", "1", "true", "null", "data", "stringData", "sops-key", "very-long-" + strings.Repeat("k", 200), "id_rsa.pub",
}

func (c *chance) text() string {
	if c.IntN(3) == 0 {
		raw := make([]byte, c.IntN(60))
		for i := range raw {
			raw[i] = byte(c.Uint32())
		}
		return strings.ToValidUTF8(string(raw), "?")
	}
	return texts[c.IntN(len(texts))]
}

// secretText is a text that is hidden and that nothing else has.
func (c *chance) secretText() string {
	secret := fmt.Sprintf("hidden%016x", c.Uint64())
	c.hidden = append(c.hidden, secret)
	return secret + c.text()
}

func (c *chance) key() string {
	if c.IntN(4) == 0 {
		return fmt.Sprintf("key-%d", c.IntN(1000))
	}
	return keys[c.IntN(len(keys))]
}

func (c *chance) strings(n int, value func() string) map[string]any {
	m := map[string]any{}
	for range c.IntN(n) {
		m[c.key()] = value()
	}
	return m
}

func (c *chance) metadata(name string) map[string]any {
	m := map[string]any{"name": name, "namespace": "team"}
	if c.IntN(2) == 0 {
		m["labels"] = c.strings(5, c.text)
	}
	if c.IntN(2) == 0 {
		m["annotations"] = c.strings(5, c.text)
	}
	return m
}

// secret makes a Secret.
func (c *chance) secret(t testing.TB, name string) event.Plaintext {
	object := map[string]any{"apiVersion": "v1", "kind": "Secret", "metadata": c.metadata(name)}
	if c.IntN(2) == 0 {
		object["type"] = []string{"Opaque", "kubernetes.io/tls", "helm.sh/release.v1"}[c.IntN(3)]
	}
	if c.IntN(4) == 0 {
		object["immutable"] = c.IntN(2) == 0
	}
	if c.IntN(8) > 0 {
		object["data"] = c.strings(6, func() string {
			encoded := base64.StdEncoding.EncodeToString([]byte(c.secretText()))
			c.hidden = append(c.hidden, encoded)
			return encoded
		})
	}
	if c.IntN(3) == 0 {
		object["stringData"] = c.strings(4, c.secretText)
	}
	return secretNamed(name, encode(t, object))
}

// widget makes an object of another kind, all of which is sensitive.
func (c *chance) widget(t testing.TB) event.Plaintext {
	object := map[string]any{"apiVersion": "example.com/v1", "kind": "Widget", "metadata": c.metadata("w")}
	for range 1 + c.IntN(3) {
		object["spec"+c.key()] = c.value(4)
	}
	p := widget(t, "{}")
	p.Content = encode(t, object)
	return p
}

func (c *chance) value(depth int) any {
	kinds := 9
	if depth == 0 {
		kinds = 7
	}
	switch c.IntN(kinds) {
	case 0:
		return c.Int64() - c.Int64()
	case 1:
		return int64(c.IntN(10))
	case 2:
		return (c.Float64() - 0.5) * []float64{1, 1e-9, 1e12, 1e19, 1e25, 1e300}[c.IntN(6)]
	case 3:
		return c.IntN(2) == 0
	case 4:
		return nil
	case 5, 6:
		return c.secretText()
	case 7:
		list := []any{}
		for range c.IntN(4) {
			list = append(list, c.value(depth-1))
		}
		return list
	}
	m := map[string]any{}
	for range c.IntN(5) {
		m[c.key()] = c.value(depth - 1)
	}
	return m
}

// object makes either.
func (c *chance) object(t testing.TB, i int) event.Plaintext {
	c.hidden = nil
	if c.IntN(4) == 0 {
		return c.widget(t)
	}
	return c.secret(t, fmt.Sprintf("s%d", i))
}
