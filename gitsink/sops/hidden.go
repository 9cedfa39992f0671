package sops

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/kubescribe/kubescribe/event"
)

// secretRegex hides what a Secret keeps secret. It is what SOPS' and Flux' documentation tell users
// to write.
const secretRegex = "^(data|stringData)$"

// scope says which values of a file are encrypted, in the words of SOPS' metadata. At most one of
// the four is set. A value is meant if one of the keys above it is. What is written has an
// Encrypted one: an Unencrypted one that was meant for metadata would also leave the metadata of a
// pod template readable.
type scope struct {
	EncryptedRegex    string
	EncryptedSuffix   string
	UnencryptedRegex  string
	UnencryptedSuffix string
	// MACOnlyEncrypted leaves what is readable out of the MAC, so that a label may be edited.
	MACOnlyEncrypted bool
}

// hider answers for the keys of one scope.
type hider struct {
	scope
	regex *regexp.Regexp // of the one that is set
}

// maxRegex bounds a regular expression of somebody else, in bytes.
const maxRegex = 16 << 10

func newHider(s scope) (*hider, error) {
	h := &hider{scope: s}
	if text := s.EncryptedRegex + s.UnencryptedRegex; text != "" {
		if len(text) > maxRegex {
			return nil, fmt.Errorf("a regular expression of %d bytes, more than %d", len(text), maxRegex)
		}
		var err error
		if h.regex, err = regexp.Compile(text); err != nil {
			return nil, err
		}
	}
	return h, nil
}

// top reports whether a value is encrypted that is below no key.
func (h *hider) top() bool { return h.EncryptedRegex == "" && h.EncryptedSuffix == "" }

// below reports whether what is below a key is encrypted, given whether its surroundings are.
func (h *hider) below(hidden bool, key string) bool {
	switch {
	case h.EncryptedRegex != "":
		return hidden || h.regex.MatchString(key)
	case h.EncryptedSuffix != "":
		return hidden || strings.HasSuffix(key, h.EncryptedSuffix)
	case h.UnencryptedRegex != "":
		return hidden && !h.regex.MatchString(key)
	case h.UnencryptedSuffix != "":
		return hidden && !strings.HasSuffix(key, h.UnencryptedSuffix)
	}
	return hidden
}

// always are the keys of every object that readers need in order to know it.
var always = []string{"apiVersion", "kind", "metadata"}

// demand is what has to be hidden of an object.
type demand struct {
	keys []string   // that hide it, sorted
	from [][]string // the places, as keys and indexes
}

// demanded returns what has to be hidden of an object, as Plaintext.Fields says.
func demanded(p event.Plaintext, content branch) (demand, error) {
	var d demand
	secret := event.IsSecret(p.Resource.ID) || event.IsSecretKind(p.Resource) || event.SaysSecret(p.Content)
	switch {
	case secret:
		d.add("data", "data")
		d.add("stringData", "stringData")
	case len(p.Fields) == 0:
		for _, m := range content {
			if !slices.Contains(always, m.key) {
				d.add(m.key, m.key)
			}
		}
	}
	for _, pointer := range p.Fields {
		path, err := split(pointer)
		if err != nil {
			return d, err
		}
		key, ok := lastKey(path, content)
		if !ok {
			return d, fmt.Errorf("%w: field %q: readers need its keys in order to know the object", ErrExposed, pointer)
		}
		d.add(key, path...)
	}
	slices.Sort(d.keys)
	d.keys = slices.Compact(d.keys)
	return d, nil
}

func (d *demand) add(key string, path ...string) {
	d.keys = append(d.keys, key)
	d.from = append(d.from, path)
}

// regex hides all that is demanded.
func (d demand) regex() string {
	if len(d.keys) == 0 || slices.Equal(d.keys, []string{"data", "stringData"}) {
		return secretRegex
	}
	quoted := make([]string, len(d.keys))
	for i, key := range d.keys {
		quoted[i] = regexp.QuoteMeta(key)
	}
	return "^(" + strings.Join(quoted, "|") + ")$"
}

// split reads a JSON pointer.
func split(pointer string) ([]string, error) {
	if !strings.HasPrefix(pointer, "/") {
		return nil, fmt.Errorf("%w: field %q is no JSON pointer to a part of the object", ErrExposed, pointer)
	}
	path := strings.Split(pointer[1:], "/")
	for i, token := range path {
		path[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(token)
	}
	return path, nil
}

// lastKey returns the key nearest to the end of a path that may be encrypted wherever it stands: a
// kind or a name of an object must stay readable.
func lastKey(path []string, content branch) (string, bool) {
	isKey := keysOf(path, content)
	for i, token := range slices.Backward(path) {
		if isKey[i] && !slices.Contains(always, token) && token != "name" && token != "namespace" {
			return token, true
		}
	}
	return "", false
}

// keysOf reports which tokens of a path are keys, and not indexes of lists. Where the object does
// not have the field, a number is taken for an index.
func keysOf(path []string, content branch) []bool {
	isKey := make([]bool, len(path))
	var at any = content
	for i, token := range path {
		switch v := at.(type) {
		case branch:
			isKey[i] = true
			at, _ = v.get(token)
		case []any:
			at = item(v, token)
		default:
			_, err := strconv.Atoi(token)
			isKey[i] = err != nil && token != "-"
			at = nil
		}
	}
	return isKey
}

func item(list []any, token string) any {
	if i, err := strconv.Atoi(token); err == nil && 0 <= i && i < len(list) {
		return list[i]
	}
	return nil
}

// met returns an error unless a hider hides all that is demanded of an object.
func (h *hider) met(d demand, content branch) error {
	for _, path := range d.from {
		var at any = content
		hidden := h.top()
		for _, token := range path {
			switch v := at.(type) {
			case branch:
				hidden = h.below(hidden, token)
				at, _ = v.get(token)
			case []any:
				at = item(v, token)
			default:
				at = nil
			}
		}
		if h.shows(hidden, at) {
			return fmt.Errorf("%w: %q", ErrExposed, "/"+strings.Join(path, "/"))
		}
	}
	return nil
}

// shows reports whether a leaf below a value stays readable. Null and empty text have nothing to
// hide, and SOPS encrypts neither.
func (h *hider) shows(hidden bool, v any) bool {
	switch v := v.(type) {
	case branch:
		return slices.ContainsFunc(v, func(m member) bool { return h.shows(h.below(hidden, m.key), m.value) })
	case []any:
		return slices.ContainsFunc(v, func(item any) bool { return h.shows(hidden, item) })
	}
	return !hidden && v != nil && v != ""
}
