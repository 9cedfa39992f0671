package canonical_test

import (
	"errors"
	"fmt"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utiljson "k8s.io/apimachinery/pkg/util/json"

	"github.com/kubescribe/kubescribe/internal/canonical"
	"github.com/kubescribe/kubescribe/internal/canonical/canonicaltest"
	"github.com/kubescribe/kubescribe/internal/testsize"
)

// compared is what one object becomes in several ways, with one Document for them all.
type compared struct {
	document canonical.Document
	yaml     []byte
}

// check compares what the document makes of the text of an object with what client-go, and the
// other encoder, make of it.
func (c *compared) check(text []byte) error {
	var object map[string]any
	refused := utiljson.Unmarshal(text, &object)
	err := c.document.Parse(text)
	switch {
	case refused != nil || object == nil: // null is read as nothing, and refused for want of a kind
		if err == nil {
			return fmt.Errorf("it should be refused: %w", refused)
		}
		return nil
	case err != nil:
		return fmt.Errorf("it should be read: %w", err)
	}
	if got := c.document.Object(); !reflect.DeepEqual(got, object) {
		return fmt.Errorf("it is read as something else: %s", cmp.Diff(object, got))
	}
	obj := &unstructured.Unstructured{Object: object}
	if err := c.same("parsed", obj); err != nil {
		return err
	}
	clean := canonicaltest.Sanitize(obj)
	c.document.Sanitize()
	if err := c.same("parsed and sanitised", clean); err != nil {
		return err
	}
	if got := c.document.Object(); !reflect.DeepEqual(got, clean.Object) {
		return fmt.Errorf("sanitised it is something else: %s", cmp.Diff(clean.Object, got))
	}
	if err := c.document.Load(object); err != nil {
		return err
	}
	if err := c.same("loaded", obj); err != nil {
		return err
	}
	c.document.Sanitize()
	return c.same("loaded and sanitised", clean)
}

// same compares the YAML of the document with that of obj.
func (c *compared) same(how string, obj *unstructured.Unstructured) error {
	want, refused := canonicaltest.Encode(obj)
	got, err := c.document.AppendYAML(c.yaml[:0])
	c.yaml = got
	if (err == nil) != (refused == nil) {
		return fmt.Errorf("%s: one of the two refuses it: %w", how, errors.Join(err, refused))
	}
	if string(got) != string(want) {
		return fmt.Errorf("%s: %s", how, cmp.Diff(string(want), string(got)))
	}
	return nil
}

func TestEveryObjectIsWhatClientGoAndTheOtherEncoderMakeOfIt(t *testing.T) {
	t.Parallel()
	d := drawing{Rand: testsize.Chance(t)}
	var c compared
	for range (testsize.Sizes{Short: 500, Usual: 3000, Long: 20_000, Soak: 10_000_000}).Pick() {
		text := d.object()
		if err := c.check([]byte(text)); err != nil {
			require.NoError(t, err, "%q", text)
		}
	}
}

// FuzzDocument states that no JSON object is read or written otherwise than by the code of others,
// and that nothing else is an object.
func FuzzDocument(f *testing.F) {
	for _, text := range []string{
		`{}`, `null`, `[]`, ``, ` {} `, `{"a":1}x`, `{"a":{"b":[{},[],null,true,-1,1.5,1e300,"x"]}}`, `{"a":[[["x\ny"]],{"b":[{"c":"\n x"}]}]}`, `{"":""}`, `{"yes":"no","1":"2"}`,
		`{"a":"\u0000\u0085\u2028\ufeff"}`, `{"a":9007199254740993,"b":1E21,"c":-0.0,"d":1e-7,"e":01}`, `{"a\nb":"c\n","<<":{"=":"<<"}}`, `{"a":"x \n y\n\n"}`, `{"b":1,"a":2,"b":3}`,
		`{"a":1e400}`, `{"a":"\ud800"}`, "{\"a\":\"\xff\"}", `{"a":"\x"}`, `{"a":tru}`, `{"a":-}`, `{"a":1.}`, `{"a":1e}`, `{"a":"`, `{"a":"\`, `{"a":"\u00`, "{\"a\":\"\n\"}", `{"a" 1}`, `{"a":1,}`,
		`{"apiVersion":"v1","kind":"Service","metadata":{"annotations":{"kubectl.kubernetes.io/last-applied-configuration":"{\"spec\":{\"clusterIP\":\"x\"}}"}},"spec":{"clusterIP":"x"}}`,
	} {
		f.Add([]byte(text))
	}
	var c compared
	f.Fuzz(func(t *testing.T, text []byte) {
		require.NoError(t, c.check(text))
	})
}
