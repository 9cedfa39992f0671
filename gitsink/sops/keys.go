package sops

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"filippo.io/age"

	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/internal/quote"
)

// Keys are what [NewKeyring] takes. They show in no log, however they are printed.
type Keys struct {
	// Recipients are age public keys, "age1...": whoever holds the identity of one reads the files.
	// They hold where no rule of Config names some. Default: those of Config.
	Recipients []string
	// Config is a .sops.yaml, as it stands in the root of the repository. The first of its
	// creation_rules whose path_regex matches a file's path from there decides: age (or key_groups
	// with one group of age keys) names the recipients, encrypted_regex or encrypted_suffix says
	// what is encrypted besides what must be, and mac_only_encrypted: false has the MAC cover what
	// is readable, too. A file that no rule matches is refused. Default: none.
	Config []byte
	// Identities open what is stored, so that it can be compared and what did not change can stay.
	// One at least has to be that of a recipient of each file; others open files of former
	// recipients. Default: none, then DigestKey is required.
	Identities []Identity
	// DigestKey lets a stored file be compared that is for none of the Identities: the file begins
	// with a comment that has HMACs under this key. At least 32 random bytes, which the cluster
	// keeps; with another key each file is written once more. Default: none.
	DigestKey []byte
}

// minDigestKey is the number of bytes that a DigestKey has at least.
const minDigestKey = 32

// Keyring is Keys, checked. It never changes and may be used concurrently.
type Keyring struct {
	rules      []rule
	identities map[string]*age.X25519Identity // by recipient
}

// rule says how the files are encrypted whose path it matches.
type rule struct {
	creationRule
	keys      []*age.X25519Recipient // sorted by what they are written as
	marking   [][]byte               // the identities that are among them; they key the MARK
	digestKey []byte                 // keys SEAL and CONTENT where there are none
}

// ours reports whether an identity opens what is encrypted by the rule.
func (r rule) ours() bool { return len(r.marking) > 0 }

func (r rule) signingKey() []byte {
	if r.ours() {
		return r.marking[0]
	}
	return r.digestKey
}

// NewKeyring returns the keys, or all their faults: each matches ErrKeys and names the field. Of
// what might be a secret key the fault shows nothing.
func NewKeyring(keys Keys) (*Keyring, error) {
	ring := &Keyring{identities: map[string]*age.X25519Identity{}}
	var faults []error
	for i, identity := range keys.Identities {
		if identity.key == nil {
			faults = append(faults, fmt.Errorf("%w: Identities[%d] is empty: use ParseIdentities", ErrKeys, i))
			continue
		}
		ring.identities[identity.Recipient()] = identity.key
	}
	if n := len(keys.DigestKey); n > 0 && n < minDigestKey {
		faults = append(faults, fmt.Errorf("%w: DigestKey has %d bytes, want %d at least", ErrKeys, n, minDigestKey))
	}
	faults = append(faults, ring.addRules(keys))
	for i := range ring.rules {
		faults = append(faults, ring.rules[i].sign(keys))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return ring, nil
}

// sign finds what the rule's files are signed with.
func (r *rule) sign(keys Keys) error {
	r.digestKey = bytes.Clone(keys.DigestKey)
	for _, identity := range keys.Identities {
		if slices.Contains(r.recipients(), identity.Recipient()) {
			r.marking = append(r.marking, []byte(identity.key.String()))
		}
	}
	if !r.ours() && len(r.digestKey) == 0 && len(r.keys) > 0 {
		return fmt.Errorf("%w: none of the Identities opens what is for %s: add one, or set DigestKey. "+
			"Without either no stored file could be compared, and each restart would write all of them anew",
			ErrKeys, strings.Join(r.recipients(), ", "))
	}
	return nil
}

func (k *Keyring) addRules(keys Keys) error {
	standing, err := parseRecipients("Recipients", keys.Recipients)
	if err != nil {
		return err
	}
	if len(keys.Config) == 0 {
		if len(standing) == 0 {
			return fmt.Errorf("%w: set Recipients or Config", ErrKeys)
		}
		k.rules = []rule{{keys: standing}}
		return nil
	}
	given, err := parseConfig(keys.Config)
	faults := []error{err}
	for i, r := range given {
		field := fmt.Sprintf("Config: creation_rules[%d].age", i)
		own, err := parseRecipients(field, r.recipients)
		if len(r.recipients) == 0 {
			own = standing
		}
		switch {
		case err != nil:
			faults = append(faults, err)
		case len(own) == 0:
			faults = append(faults, fmt.Errorf("%w: %s: there is no recipient, nor are there Keys.Recipients", ErrKeys, field))
		}
		k.rules = append(k.rules, rule{creationRule: r, keys: own})
	}
	return errors.Join(faults...)
}

// parseRecipients reads the recipients of a field.
func parseRecipients(field string, given []string) ([]*age.X25519Recipient, error) {
	var all []*age.X25519Recipient
	for i, text := range given {
		r, err := age.ParseX25519Recipient(strings.TrimSpace(text))
		if err != nil { // age's own words have the text in them, which may be a secret key
			return nil, fmt.Errorf("%w: %s[%d]: %s is no X25519 recipient of age: want age1 and 58 characters", ErrKeys, field, i, shown(text))
		}
		all = append(all, r)
	}
	slices.SortFunc(all, func(a, b *age.X25519Recipient) int { return strings.Compare(a.String(), b.String()) })
	all = slices.CompactFunc(all, func(a, b *age.X25519Recipient) bool { return a.String() == b.String() })
	if len(all) > maxRecipients {
		return nil, fmt.Errorf("%w: %s: there are %d, more than %d", ErrKeys, field, len(all), maxRecipients)
	}
	return all, nil
}

var looksPublic = regexp.MustCompile(`^(age1|ssh-)[A-Za-z0-9@ /+=-]{0,100}$`)

// shown returns what was meant to be a recipient, if it can be no secret.
func shown(text string) string {
	if looksPublic.MatchString(text) {
		return fmt.Sprintf("%q", text)
	}
	return "what stands there"
}

// ruleFor returns the rule of a file.
func (k *Keyring) ruleFor(path string) (rule, error) {
	for _, r := range k.rules {
		if r.path == nil || r.path.MatchString(path) {
			return r, nil
		}
	}
	return rule{}, fmt.Errorf("%w: %s: none of the creation_rules matches it", ErrNoKeys, quote.Path(path))
}

// hider returns what is encrypted in a file: what its rule says, and what must be.
func (r rule) hider(p event.Plaintext, content branch) (*hider, error) {
	demand, err := demanded(p, content)
	if err != nil {
		return nil, err
	}
	s := scope{EncryptedRegex: r.regex, EncryptedSuffix: r.suffix, MACOnlyEncrypted: !r.macAll}
	if r.regex == "" && r.suffix == "" {
		s.EncryptedRegex = demand.regex()
	}
	h, err := newHider(s)
	if err == nil && r.regex != "" && h.met(demand, content) != nil {
		s.EncryptedRegex = "(" + r.regex + ")|" + demand.regex()
		h, err = newHider(s)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrExposed, err)
	}
	return h, h.met(demand, content)
}

// recipients returns whom a file is for, sorted.
func (r rule) recipients() []string {
	all := make([]string, len(r.keys))
	for i, key := range r.keys {
		all[i] = key.String()
	}
	return all
}
