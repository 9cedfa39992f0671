package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/gitsink/sops"
	"github.com/kubescribe/kubescribe/ruleset/manifest"
)

// keysLast is for how long the keys of a destination are used until their Secret is looked at
// again.
const keysLast = 30 * time.Second

// encryption finds the keys of a destination: the identities in the Secret of its spec.encryption,
// among the manifests or else in the cluster.
type encryption struct {
	credentials *credentials

	mu    sync.Mutex // guards known
	known map[destination.Ref]keys
}

// keys are a keyring, and what it was made for.
type keys struct {
	ring  *sops.Keyring
	of    *manifest.Config
	until time.Time
}

func newEncryptor(c *credentials) (event.Encryptor, error) {
	e := &encryption{credentials: c, known: map[destination.Ref]keys{}}
	return sops.New(&sops.Options{KeyringFor: e.keyring})
}

// keyring returns the keys of a destination. One without spec.encryption has none, and its Secrets
// are left out.
func (e *encryption) keyring(ctx context.Context, d destination.Destination) (*sops.Keyring, error) {
	m := e.credentials.manifests()
	spec, ok := m.Encryption[d.Ref]
	if !ok {
		return nil, fmt.Errorf("%w: GitDestination %s has no spec.encryption", event.ErrSecret, d.Ref)
	}
	e.mu.Lock()
	known := e.known[d.Ref]
	e.mu.Unlock()
	if known.of == m && time.Now().Before(known.until) {
		return known.ring, nil
	}
	ring, err := e.read(ctx, m, spec)
	if err != nil {
		return nil, fmt.Errorf("spec.encryption of GitDestination %s: %w", d.Ref, err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.known[d.Ref] = keys{ring, m, time.Now().Add(keysLast)}
	return ring, nil
}

func (e *encryption) read(ctx context.Context, m *manifest.Config, spec manifest.Encryption) (*sops.Keyring, error) {
	data, ok := m.Secrets[spec.Secret]
	if !ok {
		var err error
		if data, err = e.credentials.fromCluster(ctx, spec.Secret); err != nil {
			return nil, err
		}
	}
	identities, err := sops.IdentitiesFromSecret(data)
	if err != nil {
		return nil, fmt.Errorf("secret %s: %w", spec.Secret, err)
	}
	k := sops.Keys{Identities: identities, Recipients: spec.Recipients}
	for _, identity := range identities {
		k.Recipients = append(k.Recipients, identity.Recipient())
	}
	return sops.NewKeyring(k)
}
