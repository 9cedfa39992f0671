package sops

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"filippo.io/age"
)

// The bounds of what names identities.
const (
	maxIdentities   = 1000
	maxIdentityFile = 1 << 20 // bytes
)

// Identity is an age secret key, which opens what was encrypted for its recipient. It shows its
// recipient in a log and nowhere the key. The zero Identity opens nothing.
type Identity struct {
	key *age.X25519Identity
}

// Recipient returns the public key, "age1...".
func (i Identity) Recipient() string {
	if i.key == nil {
		return "nobody"
	}
	return i.key.Recipient().String()
}

// ParseIdentities reads age secret keys as age-keygen writes them: one a line, beside empty lines
// and comments, which begin with "#". There must be one at least. The error matches ErrKeys and
// names the line, never what stands there.
func ParseIdentities(text []byte) ([]Identity, error) {
	if len(text) > maxIdentityFile {
		return nil, fmt.Errorf("%w: the identities have %d bytes, more than %d", ErrKeys, len(text), maxIdentityFile)
	}
	var found []Identity
	for i, line := range bytes.Split(text, []byte("\n")) {
		line := strings.TrimSpace(string(line))
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		key, err := age.ParseX25519Identity(line)
		if err != nil { // age's own words have the key in them
			return nil, fmt.Errorf("%w: line %d is no age secret key: want AGE-SECRET-KEY-1 and 58 characters", ErrKeys, i+1)
		}
		if found = append(found, Identity{key}); len(found) > maxIdentities {
			return nil, fmt.Errorf("%w: there are more than %d identities", ErrKeys, maxIdentities)
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%w: there is no identity", ErrKeys)
	}
	return found, nil
}

// The names under which identities are kept. Flux takes every key of its Secret that ends in
// ".agekey"; the others are the files that SOPS looks for, and the name of its variable.
const fluxSuffix = ".agekey"

var sopsNames = []string{"keys.txt", "sops-age-keys.txt", "SOPS_AGE_KEY"}

// IdentitiesFromSecret reads the identities in the data of a Secret, as Flux and SOPS keep them:
// under every key that ends in ".agekey" ("age.agekey"), and under "keys.txt",
// "sops-age-keys.txt" and "SOPS_AGE_KEY". Other keys are left alone: such a Secret may also hold
// what opens files of other kinds. There must be one identity at least. The error matches ErrKeys,
// has all faults, and names the keys of the Secret, never what they hold.
func IdentitiesFromSecret(data map[string][]byte) ([]Identity, error) {
	var found []Identity
	var faults []error
	for _, name := range slices.Sorted(maps.Keys(data)) {
		if !strings.HasSuffix(name, fluxSuffix) && !slices.Contains(sopsNames, name) {
			continue
		}
		some, err := ParseIdentities(data[name])
		if err != nil {
			faults = append(faults, fmt.Errorf("key %q of the Secret: %w", name, err))
		}
		found = append(found, some...)
	}
	switch {
	case len(faults) > 0:
		return nil, errors.Join(faults...)
	case len(found) == 0:
		return nil, fmt.Errorf("%w: the Secret has no key that ends in %q, nor %s", ErrKeys, fluxSuffix, strings.Join(sopsNames, ", "))
	case len(found) > maxIdentities:
		return nil, fmt.Errorf("%w: the Secret has %d identities, more than %d", ErrKeys, len(found), maxIdentities)
	}
	return found, nil
}
