package sops

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"filippo.io/age"
	"filippo.io/age/armor"
	"go.yaml.in/yaml/v3"
)

// reserved is the key of a file under which its metadata stand.
const reserved = "sops"

// version is the release of SOPS whose format is written.
const version = "3.13.3"

// maxRecipients bounds the recipients of a file.
const maxRecipients = 64

// metadata is what SOPS keeps in the file.
type metadata struct {
	Age               []wrapped            `yaml:"age"`
	LastModified      string               `yaml:"lastmodified"`
	MAC               string               `yaml:"mac"`
	Version           string               `yaml:"version"`
	EncryptedRegex    string               `yaml:"encrypted_regex"`
	EncryptedSuffix   string               `yaml:"encrypted_suffix"`
	UnencryptedRegex  string               `yaml:"unencrypted_regex"`
	UnencryptedSuffix string               `yaml:"unencrypted_suffix"`
	MACOnlyEncrypted  bool                 `yaml:"mac_only_encrypted"`
	Others            map[string]yaml.Node `yaml:",inline"`
}

// wrapped is the data key, encrypted for a recipient.
type wrapped struct {
	Recipient string `yaml:"recipient"`
	Enc       string `yaml:"enc"`
}

var (
	errNoSOPS   = errors.New("it is no file of SOPS: it has no metadata with a MAC and recipients")
	errFeature  = errors.New("its metadata ask for what this package does not read: groups of keys, or comments that say what is encrypted")
	errScope    = errors.New("its metadata do not say plainly what is encrypted")
	errModified = errors.New("its lastmodified is no time")
	errUnwrap   = errors.New("its data key cannot be opened: it is damaged")
	errNoLock   = errors.New("no identity opens it")
	// dropped are other kinds of keys, which SOPS tries as well.
	dropped      = []string{"kms", "pgp", "gcp_kms", "azure_kv", "hc_vault", "hckms"}
	notSupported = []string{"key_groups", "unencrypted_comment_regex", "encrypted_comment_regex"}
)

// readMetadata takes the metadata out of a document.
func readMetadata(root *yaml.Node) (*metadata, error) {
	var m metadata
	found := 0
	for i := 0; i+1 < len(root.Content); i += 2 {
		if root.Content[i].Value != reserved {
			continue
		}
		if found++; found > 1 || root.Content[i+1].Decode(&m) != nil {
			return nil, errNoSOPS
		}
		root.Content = slices.Delete(root.Content, i, i+2)
		i -= 2
	}
	if m.MAC == "" || len(m.Age) == 0 || len(m.Age) > maxRecipients {
		return nil, errNoSOPS
	}
	for name, n := range m.Others {
		if slices.Contains(notSupported, name) && (n.Value != "" || len(n.Content) > 0) {
			return nil, errFeature
		}
	}
	modified, err := time.Parse(time.RFC3339, m.LastModified)
	if err != nil {
		return nil, errModified
	}
	m.LastModified = modified.Format(time.RFC3339)
	return &m, nil
}

// hider returns what the metadata say is encrypted.
func (m *metadata) hider() (*hider, error) {
	s, set := m.scope(), 0
	for _, text := range []string{s.EncryptedRegex, s.EncryptedSuffix, s.UnencryptedRegex, s.UnencryptedSuffix} {
		if text != "" {
			set++
		}
	}
	if set == 0 {
		s.UnencryptedSuffix = "_unencrypted" // SOPS' default
	}
	h, err := newHider(s)
	if err != nil || set > 1 {
		return nil, errScope
	}
	return h, nil
}

func (m *metadata) scope() scope {
	return scope{m.EncryptedRegex, m.EncryptedSuffix, m.UnencryptedRegex, m.UnencryptedSuffix, m.MACOnlyEncrypted}
}

// recipients are all whom the file is for, those of other kinds of keys by the name of the kind.
func (m *metadata) recipients() []string {
	var all []string
	for _, w := range m.Age {
		all = append(all, w.Recipient)
	}
	for _, name := range dropped {
		if n, ok := m.Others[name]; ok && len(n.Content) > 0 {
			all = append(all, name)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// object returns the metadata as an object of JSON. SOPS writes the keys in the same order.
func (m *metadata) object() map[string]any {
	keys := make([]any, len(m.Age))
	for i, w := range m.Age {
		keys[i] = map[string]any{"enc": w.Enc, "recipient": w.Recipient}
	}
	o := map[string]any{"age": keys, "lastmodified": m.LastModified, "mac": m.MAC, "version": m.Version}
	for name, text := range map[string]string{"encrypted_regex": m.EncryptedRegex, "encrypted_suffix": m.EncryptedSuffix} {
		if text != "" {
			o[name] = text
		}
	}
	if m.MACOnlyEncrypted {
		o["mac_only_encrypted"] = true
	}
	return map[string]any{reserved: o}
}

// wrap encrypts a data key for a recipient.
func wrap(key []byte, recipient *age.X25519Recipient) (wrapped, error) {
	var text bytes.Buffer
	armored := armor.NewWriter(&text)
	w, err := age.Encrypt(armored, recipient)
	if err == nil {
		_, err = w.Write(key)
		err = errors.Join(err, w.Close(), armored.Close())
	}
	if err != nil {
		return wrapped{}, fmt.Errorf("sops: encrypting the data key for %s: %w", recipient, err)
	}
	return wrapped{Recipient: recipient.String(), Enc: text.String()}, nil
}

// unwrap returns the data key of a file. It tries what is said to be for one of the identities, and
// nothing else, so that its cost is bounded.
func (m *metadata) unwrap(identities map[string]*age.X25519Identity) ([]byte, error) {
	err := errNoLock
	for _, w := range m.Age {
		identity, ok := identities[w.Recipient]
		if !ok {
			continue
		}
		if key := open(w.Enc, identity); len(key) == keySize {
			return key, nil
		}
		err = errUnwrap
	}
	return nil, err
}

func open(text string, identity age.Identity) []byte {
	r, err := age.Decrypt(armor.NewReader(strings.NewReader(text)), identity)
	if err != nil {
		return nil
	}
	key, err := io.ReadAll(io.LimitReader(r, keySize+1))
	if err != nil {
		return nil
	}
	return key
}
