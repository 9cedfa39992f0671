package sops_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/gitsink/sops"
)

const templated = `
apiVersion: example.com/v1
kind: Widget
metadata: {name: w, namespace: team, annotations: {token: hidden-annotation}}
spec:
  name: plain-name
  replicas: 3
  credentials: {name: hidden-name, kind: hidden-kind, "a/b~c": hidden-slash}
  list: [{value: hidden-value}, {value: hidden-other}]
  template: {metadata: {labels: {a: hidden-label}}, spec: {x: plain-x}}
status: {ready: true, note: hidden-note}
`

func TestFieldsAreHiddenAndWhoReadsTheFileKnowsTheObject(t *testing.T) {
	t.Parallel()
	e := withIdentities(t, alice)
	for name, c := range map[string]struct {
		fields  []string
		regex   string
		hidden  []string
		visible []string
	}{
		"none: all but apiVersion, kind and metadata": {nil, "^(spec|status)$",
			[]string{"hidden-name", "hidden-label", "hidden-note", "plain-x"}, []string{"hidden-annotation"}},
		"a value":       {[]string{"/spec/list/0/value"}, "^(value)$", []string{"hidden-value", "hidden-other"}, []string{"plain-x", "hidden-name"}},
		"an item":       {[]string{"/spec/list/1"}, "^(list)$", []string{"hidden-value", "hidden-other"}, []string{"plain-x"}},
		"two":           {[]string{"/status/note", "/spec/template"}, "^(note|template)$", []string{"hidden-note", "hidden-label"}, []string{"plain-name"}},
		"an annotation": {[]string{"/metadata/annotations/token"}, "^(token)$", []string{"hidden-annotation"}, []string{"hidden-name"}},
		"one whose key a reader needs elsewhere": {[]string{"/spec/credentials/name", "/spec/credentials/kind"}, "^(credentials)$",
			[]string{"hidden-name", "hidden-kind"}, []string{"plain-name"}},
		"the metadata of a template": {[]string{"/spec/template/metadata"}, "^(template)$", []string{"hidden-label"}, []string{"hidden-note"}},
		"an escaped one":             {[]string{"/spec/credentials/a~1b~0c"}, "^(a/b~c)$", []string{"hidden-slash"}, []string{"hidden-name"}},
		"one that is not there":      {[]string{"/spec/absent/0"}, "^(absent)$", nil, []string{"hidden-name"}},
	} {
		p := widget(t, templated, c.fields...)
		file := string(encrypt(t, e, p))
		require.Equal(t, c.regex, regexOf(t, []byte(file)), name)
		for _, text := range c.hidden {
			require.NotContains(t, file, text, name)
		}
		for _, text := range append(c.visible, "apiVersion: example.com/v1", "kind: Widget", "name: w") {
			require.Contains(t, file, text, name)
		}
		require.True(t, same(t, e, p, []byte(file)), name)
	}
}

func TestAFieldThatCannotBeHiddenIsRefused(t *testing.T) {
	t.Parallel()
	e := withIdentities(t, alice)
	for _, field := range []string{"", "spec", "/kind", "/metadata", "/metadata/name", "/apiVersion"} {
		_, err := e.Encrypt(t.Context(), widget(t, templated, "/status/note", field))
		require.ErrorIs(t, err, sops.ErrExposed, field)
		require.ErrorContains(t, err, `"`+field+`"`)
		require.ErrorContains(t, err, "widgets.example.com/w.yaml")
	}
	// a suffix cannot be widened, unlike a regular expression
	suffix := encryptor(t, sops.Keys{Recipients: recipients(alice), Identities: identities(alice), Config: []byte("creation_rules: [{encrypted_suffix: assword}]")})
	_, err := suffix.Encrypt(t.Context(), plainSecret(t))
	require.ErrorIs(t, err, sops.ErrExposed)
	require.ErrorContains(t, err, "/data")
	require.NotContains(t, err.Error(), "YWxpY2Ut")
}

func TestARegexThatHidesTooLittleIsWidened(t *testing.T) {
	t.Parallel()
	e := encryptor(t, sops.Keys{Recipients: recipients(alice), Identities: identities(alice), Config: []byte("creation_rules: [{encrypted_regex: ^(password|app)$}]")})
	p := plainSecret(t)
	file := encrypt(t, e, p)
	require.Equal(t, "(^(password|app)$)|^(data|stringData)$", regexOf(t, file))
	require.Contains(t, string(file), "app: ENC[")
	require.NotContains(t, string(file), "YWxpY2Ut")
	require.True(t, same(t, e, p, file))
	flux := encryptor(t, sops.Keys{Recipients: recipients(alice), Identities: identities(alice), Config: []byte("creation_rules: [{encrypted_regex: ^(data|stringData)$}]")})
	require.Equal(t, "^(data|stringData)$", regexOf(t, encrypt(t, flux, p)))
	require.Equal(t, "(^(data|stringData)$)|^(spec|status)$", regexOf(t, encrypt(t, flux, widget(t, templated))))
}

func TestASecretIsHiddenWhateverElseIsAskedFor(t *testing.T) {
	t.Parallel()
	e := withIdentities(t, alice)
	for name, change := range map[string]func(*event.Plaintext){
		"fields beside":         func(p *event.Plaintext) { p.Fields = []string{"/metadata/labels/app"} },
		"another resource":      func(p *event.Plaintext) { p.Resource.Resource = "widgets" },
		"by its resource alone": func(p *event.Plaintext) { p.Resource.Kind = "Widget" },
		"by its words alone":    func(p *event.Plaintext) { p.Resource.Resource, p.Resource.Kind = "widgets", "Widget" },
	} {
		p := plainSecret(t)
		change(&p)
		file := string(encrypt(t, e, p))
		require.NotContains(t, file, "YWxpY2Ut", name)
		require.NotContains(t, file, "aHVudGVy", name)
		require.Contains(t, file, "type: Opaque", name)
		require.Equal(t, name == "fields beside", strings.Contains(file, "app: ENC["), name)
	}
}
