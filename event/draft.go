package event

import (
	"errors"
	"fmt"
	"hash/maphash"
	"math"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// Draft is an object on its way to its Contents: what does not belong into a file is gone, and it
// is not encoded yet. It shares with the object that it was made of, which must not be changed
// meanwhile.
type Draft struct {
	forms []form // one for each Ignored
}

// form is what a file is to hold.
type form struct {
	object map[string]any
	first  int // the first form that is equal, for all that is known
}

// NewDraft returns the draft of an object for files of which some leave out more than others: one
// form for each Ignored. A core v1 Secret is refused with ErrSecret unless it will be encrypted.
func NewDraft(obj *unstructured.Unstructured, encrypts bool, ignored ...*Ignored) (Draft, error) {
	if obj == nil {
		return Draft{}, errors.New("event: no content: the object is nil")
	}
	gvk := obj.GroupVersionKind()
	if gvk.Kind == "" || gvk.Version == "" {
		return Draft{}, fmt.Errorf("%w: apiVersion %q and kind %q of the object must not be empty", ErrIncomplete, obj.GetAPIVersion(), gvk.Kind)
	}
	if gvk.Group == "" && gvk.Kind == "Secret" && !encrypts {
		return Draft{}, fmt.Errorf("%w: set an Encryptor", ErrSecret)
	}
	metadata, _ := obj.Object["metadata"].(map[string]any)
	managed, _ := metadata["managedFields"].([]any)
	clean, err := sanitized(obj.Object)
	if err != nil {
		return Draft{}, err
	}
	d := Draft{forms: make([]form, len(ignored))}
	whole := -1
	for i, g := range ignored {
		rest, less := g.remove(clean, managed, nil)
		if d.forms[i] = (form{rest, i}); less {
			continue
		}
		if whole < 0 {
			whole = i
		}
		d.forms[i].first = whole
	}
	return d, nil
}

// Contents encodes each form, in the order of the Ignored. Forms that are equal share one Content.
func (d Draft) Contents() ([]*Content, error) {
	contents := make([]*Content, len(d.forms))
	for i, f := range d.forms {
		if f.first < i {
			contents[i] = contents[f.first]
			continue
		}
		data, err := Encode(&unstructured.Unstructured{Object: f.object})
		if err != nil {
			return nil, err
		}
		contents[i] = NewContent(data)
		for _, other := range contents[:i] {
			if other.sha256 == contents[i].sha256 {
				contents[i] = other
			}
		}
	}
	return contents, nil
}

// Hash returns a hash of all forms under a key that nobody else knows. It takes a fraction of the
// time of Contents, and is the same for a draft that has the same Contents, and most likely for no
// other. It is false for an object with values that JSON does not have.
func (d Draft) Hash(seed maphash.Seed) (hash uint64, ok bool) {
	h := hasher{seed: seed, ok: true}
	for i, f := range d.forms {
		of := uint64(f.first)
		if f.first == i {
			of = h.value(f.object)
		}
		hash = h.join(hash, of)
	}
	return hash, h.ok
}

// hasher hashes what JSON has. The keys of an object come in no order, so their hashes are added.
type hasher struct {
	seed maphash.Seed
	ok   bool
}

// The kinds of values, so that "1" is not 1.
const (
	hashNull uint64 = iota + 1
	hashFalse
	hashTrue
	hashNumber
	hashFloat
	hashText
	hashList
	hashObject
)

func (h *hasher) value(v any) uint64 {
	switch v := v.(type) {
	case nil:
		return hashNull
	case bool:
		if v {
			return hashTrue
		}
		return hashFalse
	case int64:
		return h.join(hashNumber, uint64(v))
	case float64:
		return h.join(hashFloat, math.Float64bits(v))
	case string:
		return h.join(hashText, maphash.String(h.seed, v))
	case []any:
		sum := hashList
		for _, item := range v {
			sum = h.join(sum, h.value(item))
		}
		return sum
	case map[string]any:
		sum := hashObject
		for key, item := range v {
			sum += h.join(maphash.String(h.seed, key), h.value(item))
		}
		return h.join(hashObject, sum)
	}
	h.ok = false
	return 0
}

// join hashes two hashes, in their order.
func (h *hasher) join(a, b uint64) uint64 { return maphash.Comparable(h.seed, [2]uint64{a, b}) }
