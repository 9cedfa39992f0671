package sops_test

import (
	"context"
	"strings"
	"testing"

	"filippo.io/age"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/gitsink/sops"
)

// key is a key pair of age. A test shows the secret one to SOPS alone.
type key struct {
	identity sops.Identity
	secret   string
}

var secrets = map[string]string{} // by recipient; written before tests run

// keys are those of all tests.
var alice, bob, carol = newKey(), newKey(), newKey()

func newKey() key {
	made, err := age.GenerateX25519Identity()
	if err != nil {
		panic(err)
	}
	ids, err := sops.ParseIdentities([]byte(made.String()))
	if err != nil {
		panic(err)
	}
	secrets[ids[0].Recipient()] = made.String()
	return key{ids[0], made.String()}
}

func secretOf(i sops.Identity) string { return secrets[i.Recipient()] }

func recipients(keys ...key) []string {
	var all []string
	for _, k := range keys {
		all = append(all, k.identity.Recipient())
	}
	return all
}

func identities(keys ...key) []sops.Identity {
	var all []sops.Identity
	for _, k := range keys {
		all = append(all, k.identity)
	}
	return all
}

func encryptor(t testing.TB, keys sops.Keys) *sops.Encryptor {
	t.Helper()
	ring, err := sops.NewKeyring(keys)
	require.NoError(t, err)
	e, err := sops.New(&sops.Options{Keyring: ring})
	require.NoError(t, err)
	return e
}

// withIdentities is the Encryptor of a cluster that holds the secret keys of all recipients.
func withIdentities(t testing.TB, keys ...key) *sops.Encryptor {
	t.Helper()
	return encryptor(t, sops.Keys{Recipients: recipients(keys...), Identities: identities(keys...)})
}

var digestKey = []byte(strings.Repeat("k", 32))

// withPublicKeys is that of a cluster that holds none.
func withPublicKeys(t testing.TB, keys ...key) *sops.Encryptor {
	t.Helper()
	return encryptor(t, sops.Keys{Recipients: recipients(keys...), DigestKey: digestKey})
}

var prod = destination.Destination{
	Ref:        destination.Ref{Namespace: "team", Name: "prod"},
	Repository: "https://git.example/team/app.git", Branch: "main", BaseFolder: "clusters/prod",
}

// canonical returns an object as the events have it.
func canonical(t testing.TB, text string) []byte {
	t.Helper()
	var object map[string]any
	require.NoError(t, yaml.Unmarshal([]byte(text), &object))
	return encode(t, object)
}

func encode(t testing.TB, object map[string]any) []byte {
	t.Helper()
	content, err := event.Encode(&unstructured.Unstructured{Object: object})
	require.NoError(t, err)
	return content
}

// secretNamed is what an Encryptor is told of a Secret.
func secretNamed(name string, content []byte) event.Plaintext {
	id := event.ID{Resource: "secrets", Namespace: "team", Name: name}
	return event.Plaintext{
		Destination: prod, Resource: event.Resource{ID: id, Version: "v1", Kind: "Secret"},
		Path: "clusters/prod/team/secrets/" + name + ".yaml", Content: content,
	}
}

// plainSecret is a Secret with some of what a Secret can have.
func plainSecret(t testing.TB) event.Plaintext {
	t.Helper()
	return secretNamed("login", canonical(t, `
apiVersion: v1
kind: Secret
metadata: {name: login, namespace: team, labels: {app: shop}}
type: Opaque
data: {password: aHVudGVyMi1pcy1teS1wYXNzd29yZA==, user: YWxpY2UtaW4td29uZGVybGFuZA==, empty: ""}
`))
}

// widget is an object of a sensitive kind.
func widget(t testing.TB, text string, fields ...string) event.Plaintext {
	t.Helper()
	id := event.ID{Group: "example.com", Resource: "widgets", Namespace: "team", Name: "w"}
	return event.Plaintext{
		Destination: prod, Resource: event.Resource{ID: id, Version: "v1", Kind: "Widget"},
		Path: "clusters/prod/team/widgets.example.com/w.yaml", Content: canonical(t, text), Fields: fields,
	}
}

func encrypt(t testing.TB, e event.Encryptor, p event.Plaintext) []byte {
	t.Helper()
	file, err := e.Encrypt(t.Context(), p)
	require.NoError(t, err)
	return file
}

func same(t testing.TB, e event.Encryptor, p event.Plaintext, stored []byte) bool {
	t.Helper()
	p.Stored = stored
	ok, err := e.Same(context.WithoutCancel(t.Context()), p)
	require.NoError(t, err)
	return ok
}

// again encrypts an object over a stored file.
func again(t testing.TB, e event.Encryptor, p event.Plaintext, stored []byte) []byte {
	t.Helper()
	p.Stored = stored
	return encrypt(t, e, p)
}

// differing returns the lines of a file that the other does not have.
func differing(file, other []byte) (lines []string) {
	has := map[string]bool{}
	for line := range strings.Lines(string(other)) {
		has[line] = true
	}
	for line := range strings.Lines(string(file)) {
		if !has[line] {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}
