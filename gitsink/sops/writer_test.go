package sops_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/gitsink/gogit"
	"github.com/kubescribe/kubescribe/gitsink/sops"
	"github.com/kubescribe/kubescribe/internal/testsize"
	"github.com/kubescribe/kubescribe/queue"
)

// held is the lease of a batch that nobody else asks for.
type held struct{}

func (held) Held(context.Context) bool                          { return true }
func (held) Done(context.Context) error                         { return nil }
func (held) Retry(context.Context, error, ...event.Event) error { return nil }

// cluster is a process that writes down, until it is restarted.
type cluster struct {
	t    *testing.T
	repo *gitservertest.Repo
	to   destination.Destination
	last gitsink.Report
}

func newCluster(t *testing.T) *cluster {
	t.Helper()
	repo := gitservertest.NewServer(t, nil).NewRepo("team/app.git")
	to := prod
	to.Repository = repo.URL()
	return &cluster{t: t, repo: repo, to: to}
}

// handle has a new process write events.
func (c *cluster) handle(e event.Encryptor, events ...event.Event) error {
	c.t.Helper()
	sink := gogit.New(nil)
	defer func() { require.NoError(c.t, sink.Close()) }()
	w, err := gitsink.NewWriter(sink, "cluster", &gitsink.WriterOptions{Encryptor: e, OnReport: func(r gitsink.Report) { c.last = r }})
	require.NoError(c.t, err)
	return w.Handle(c.t.Context(), queue.Batch{Events: events, Lease: held{}})
}

func (c *cluster) event(p event.Plaintext) event.Event {
	return event.Event{Destination: c.to, Operation: event.Update, Resource: p.Resource, Content: event.NewContent(p.Content)}
}

func (c *cluster) commits() int { return len(c.repo.Log("main")) }

func (c *cluster) file(name string) string {
	c.t.Helper()
	file, ok := c.repo.Tree("main")["clusters/prod/team/secrets/"+name+".yaml"]
	require.True(c.t, ok, "%v", c.repo.Tree("main"))
	return file
}

func configMap(name string) event.Plaintext {
	p := secretNamed(name, []byte("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: "+name+"\n  namespace: team\n"))
	p.Resource.Resource, p.Resource.Kind = "configmaps", "ConfigMap"
	return p
}

func TestARestartCommitsNoSecretAnew(t *testing.T) {
	t.Parallel()
	for name, made := range map[string]func() *sops.Encryptor{
		"identities":  func() *sops.Encryptor { return withIdentities(t, alice, bob) },
		"public keys": func() *sops.Encryptor { return withPublicKeys(t, alice, bob) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newCluster(t)
			p := plainSecret(t)
			other := secretNamed("other", bytes.ReplaceAll(p.Content, []byte("name: login"), []byte("name: other")))
			require.NoError(t, c.handle(made(), c.event(p), c.event(other), c.event(configMap("plain"))))
			require.Equal(t, 1, c.commits())
			before := c.file("login")
			require.NoError(t, c.handle(made(), c.event(p), c.event(other), c.event(configMap("plain"))))
			require.Equal(t, 1, c.commits(), "a restart commits nothing")

			p.Content = bytes.Replace(p.Content, []byte("aHVudGVyMi1pcy1teS1wYXNzd29yZA=="), []byte("Y2hhbmdlZA=="), 1)
			require.NoError(t, c.handle(made(), c.event(p), c.event(other)))
			require.Equal(t, 2, c.commits())
			if name == "identities" {
				for _, line := range differing([]byte(c.file("login")), []byte(before)) {
					key, _, _ := strings.Cut(line, ":")
					require.Contains(t, []string{"password", "mac", "lastmodified"}, key)
				}
			}
			require.NoError(t, c.handle(made(), c.event(p), c.event(other)))
			require.Equal(t, 2, c.commits())
			c.repo.Fsck()
		})
	}
}

func TestARotationIsOneCommit(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	p := plainSecret(t)
	require.NoError(t, c.handle(withIdentities(t, alice), c.event(p)))
	rotated := func() *sops.Encryptor {
		return encryptor(t, sops.Keys{Recipients: recipients(bob), Identities: identities(bob, alice)})
	}
	require.NoError(t, c.handle(rotated(), c.event(p)))
	require.NoError(t, c.handle(rotated(), c.event(p)))
	require.Equal(t, 2, c.commits())
	require.NotContains(t, c.file("login"), alice.identity.Recipient())
	require.NoError(t, c.handle(withIdentities(t, bob), c.event(p)))
	require.Equal(t, 2, c.commits(), "the old identity is needed no more")
}

func TestALostKeyHoldsUpNoNeighbourAndMendsWhenItComesBack(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	p := plainSecret(t)
	require.NoError(t, c.handle(withIdentities(t, alice), c.event(p)))
	before := c.file("login")
	changed := p
	changed.Content = bytes.Replace(p.Content, []byte("aHVudGVyMi1pcy1teS1wYXNzd29yZA=="), []byte("Y2hhbmdlZA=="), 1)
	fresh := secretNamed("fresh", bytes.ReplaceAll(p.Content, []byte("name: login"), []byte("name: fresh")))

	err := c.handle(withIdentities(t, bob), c.event(changed), c.event(fresh), c.event(configMap("plain")))
	var partial *queue.PartialError
	require.ErrorAs(t, err, &partial)
	require.Equal(t, []event.Event{c.event(changed)}, partial.Events, "it is tried again")
	require.ErrorIs(t, err, sops.ErrRecipient)
	require.NotContains(t, err.Error(), "Y2hhbmdlZA")
	require.Len(t, c.last.Skipped, 1)
	require.ErrorContains(t, c.last.Skipped[0].Err, "clusters/prod/team/secrets/login.yaml")
	require.Equal(t, before, c.file("login"), "what cannot be read stays")
	require.Contains(t, c.file("fresh"), bob.identity.Recipient())
	require.Contains(t, c.repo.Tree("main"), "clusters/prod/team/configmaps/plain.yaml")

	both := encryptor(t, sops.Keys{Recipients: recipients(bob), Identities: identities(bob, alice)})
	require.NoError(t, c.handle(both, partial.Events...))
	require.NotEqual(t, before, c.file("login"))
	require.True(t, same(t, both, told(changed, c), []byte(c.file("login"))))
}

// told is an object as the Writer tells it to the Encryptor.
func told(p event.Plaintext, c *cluster) event.Plaintext {
	p.Destination = c.to
	return p
}

func TestARemovedFileIsWrittenAnew(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	p := plainSecret(t)
	require.NoError(t, c.handle(withIdentities(t, alice), c.event(p)))
	require.Error(t, c.handle(withIdentities(t, bob), c.event(p)))
	c.repo.Commit("main", map[string]gitservertest.File{"clusters/prod/team/secrets/login.yaml": {Remove: true}}, "remove what nobody can read")
	require.NoError(t, c.handle(withIdentities(t, bob), c.event(p)))
	require.Contains(t, c.file("login"), bob.identity.Recipient())
}

func TestASecretWithNothingToHideIsWritten(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"{apiVersion: v1, kind: Secret, metadata: {name: login, namespace: team}}",
		"{apiVersion: v1, kind: Secret, metadata: {name: login, namespace: team}, type: Opaque, data: {}}",
		"{apiVersion: v1, kind: Secret, metadata: {name: login, namespace: team}, data: {empty: ''}, immutable: true}",
	} {
		c := newCluster(t)
		p := secretNamed("login", canonical(t, text))
		require.NoError(t, c.handle(withIdentities(t, alice), c.event(p)))
		require.NoError(t, c.handle(withIdentities(t, alice), c.event(p)))
		require.Equal(t, 1, c.commits())
		_, printed, err := command(t, []byte(c.file("login")), alice.identity, "", "decrypt")
		require.NoError(t, err)
		requireSameObject(t, p.Content, printed)
	}
}

func TestNoObjectOfTheRepositoryHasASecretInIt(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	random := &chance{Rand: testsize.Chance(t)}
	var hidden []string
	for round := range 3 {
		var events []event.Event
		for i := range (testsize.Sizes{Usual: 10, Long: 40, Soak: 300}).Pick() {
			random.hidden = nil
			events = append(events, c.event(random.secret(t, fmt.Sprintf("s%d", i))))
			hidden = append(hidden, random.hidden...)
		}
		e := []*sops.Encryptor{withIdentities(t, alice), withIdentities(t, alice), withPublicKeys(t, alice)}[round]
		require.NoError(t, c.handle(e, events...))
	}
	require.NotEmpty(t, hidden)
	// every object of the repository, also what no branch has any more
	all := c.repo.Git("cat-file", "--batch-all-objects", "--batch")
	require.Contains(t, all, "ENC[AES256_GCM,data:")
	for _, secret := range hidden {
		require.NotContains(t, all, secret)
		if plain, err := base64.StdEncoding.DecodeString(secret); err == nil && len(plain) > 16 {
			require.NotContains(t, all, string(plain))
		}
	}
	require.Empty(t, c.last.Skipped)
}
