package source

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	apiwatch "k8s.io/apimachinery/pkg/watch"
)

// read1 reads a list a byte at a time, which puts the end of a read in every place.
func read1(list string) (objects []unstructured.Unstructured, got page, err error) {
	got, err = readList(iotest.OneByteReader(strings.NewReader(list)), func(o *object) error {
		objects = append(objects, *o.unstructured())
		return nil
	})
	return objects, got, err
}

const (
	itemA = `{"metadata":{"name":"a"},"data":{"k":"1"}}`
	itemB = `{"kind":"Other","apiVersion":"example.com/v2","metadata":{"name":"b"}}`
	meta7 = `"metadata":{"resourceVersion":"7","continue":"next","remainingItemCount":3}`
)

// Servers of Go types write the kind first and items without one; those of maps write the members
// in the order of their names.
func TestAListIsReadAsClientGoReadsIt(t *testing.T) {
	for _, list := range []string{
		`{"kind":"ConfigMapList","apiVersion":"v1",` + meta7 + `,"items":[` + itemA + `,` + itemB + `]}`,
		`{"apiVersion":"v1","items":[` + itemA + `,` + itemB + `],"kind":"ConfigMapList",` + meta7 + `}`,
		`{"items":[` + itemB + `, ` + itemA + ` ],` + meta7 + `,"kind":"ConfigMapList","apiVersion":"v1","more":{"a":[1,{}]}}` + "\n ",
		`{"kind":"ConfigMapList","apiVersion":"v1","metadata":{},"items":[]}`,
		`{"kind":"ConfigMapList","apiVersion":"v1","metadata":null,"items":null}`,
	} {
		objects, got, err := read1(list)
		require.NoError(t, err, list)
		var want unstructured.UnstructuredList
		require.NoError(t, want.UnmarshalJSON([]byte(list)))
		require.Equal(t, page{want.GetContinue(), want.GetResourceVersion()}, got)
		require.Len(t, objects, len(want.Items))
		for i := range objects {
			require.Equal(t, want.Items[i], objects[i], list)
		}
	}
}

func TestWhatIsNoListIsNoEmptyList(t *testing.T) {
	for list, want := range map[string]error{
		``:     errBreaksOff,
		`{}`:   errNotAList,
		`[]`:   errNotAList,
		`null`: errNotAList,
		`{"kind":"ConfigMapList","apiVersion":"v1","metadata":{}}`:                            errNotAList,
		`{"apiVersion":"v1","metadata":{},"items":[]}`:                                        errNotAList,
		`{"kind":"Status","apiVersion":"v1","status":"Failure"}`:                              errNotAList,
		`{"kind":"ConfigMapList","items":{}}`:                                                 errNotAList,
		`{"kind":"ConfigMapList","items":[1]}`:                                                errNotAList,
		`{"kind":"ConfigMapList","items":[` + itemA + `,null]}`:                               errNotAList,
		`{"kind":["ConfigMapList"],"items":[]}`:                                               errNotAList,
		`{"kind":"ConfigMapList","items":[],"metadata":{"continue":7}}`:                       errNotAList,
		`{"kind":"ConfigMapList","items":[]} {}`:                                              errNotAList,
		`{"kind":"ConfigMapList","items":[` + itemA:                                           errBreaksOff,
		`{"kind":"ConfigMapList","items":[` + itemA[:20]:                                      errBreaksOff,
		`{"kind":"ConfigMapList","items":[` + itemA + `]`:                                     errBreaksOff,
		`{"kind":"ConfigMapList","items":[` + itemA + ` ` + itemB + `]}`:                      errBrokenJSON,
		`{"kind":"ConfigMapList","items":[{"hunter2":}]}`:                                     errBrokenJSON,
		`{"kind":"ConfigMapList","items":[{"a":` + strings.Repeat("[", 20_000) + `]}]}`:       errBrokenJSON,
		`{"kind":"ConfigMapList","items":[{"a":"` + strings.Repeat("a", 2*maxObject) + `"}]}`: ErrTooLarge,
		`{"kind":"` + strings.Repeat("a", 2*maxObject) + `"}`:                                 ErrTooLarge,
	} {
		_, err := readList(strings.NewReader(list), func(*object) error { return nil })
		require.ErrorIs(t, err, want, "%.100s", list)
		require.NotContains(t, err.Error(), "hunter2")
	}
}

// However many objects there are, the bound is that of each.
func TestTheBoundIsThatOfAnObjectAndNotOfTheList(t *testing.T) {
	item := `{"metadata":{"name":"a"},"data":{"k":"` + strings.Repeat("x", maxObject/4) + `"}}`
	list := `{"kind":"ConfigMapList","apiVersion":"v1","items":[` + strings.Repeat(item+",", 9) + item + `],` + meta7 + `}`
	n := 0
	_, err := readList(strings.NewReader(list), func(*object) error { n++; return nil })
	require.NoError(t, err)
	require.Equal(t, 10, n)
}

func TestAnErrorOfTheReceiverEndsTheList(t *testing.T) {
	full := errors.New("full")
	n := 0
	_, err := readList(strings.NewReader(`{"kind":"ConfigMapList","items":[`+itemA+`,`+itemB+`]}`), func(*object) error { n++; return full })
	require.ErrorIs(t, err, full)
	require.Equal(t, 1, n)
}

// A cut connection is the server's error, as it came.
func TestAListThatCannotBeReadOnSaysWhy(t *testing.T) {
	cut := errors.New("connection reset by peer")
	_, err := readList(io.MultiReader(strings.NewReader(`{"kind":"ConfigMapList","items":[`+itemA), iotest.ErrReader(cut)), func(*object) error { return nil })
	require.ErrorIs(t, err, cut)
}

// heard returns what a watch says, and the objects of its events.
func heard(t *testing.T, stream string) (events []string) {
	t.Helper()
	w := newWatchStream(io.NopCloser(iotest.OneByteReader(strings.NewReader(stream))), func() {})
	defer w.Stop()
	for e := range w.ResultChan() {
		if e.Type == apiwatch.Error {
			events = append(events, fmt.Sprintf("%s %s", e.Type, apierrors.FromObject(e.Object)))
			continue
		}
		require.NoError(t, with(e.Object, func(o *object) error {
			events = append(events, fmt.Sprintf("%s %s at %s", e.Type, o.name.Name, o.version))
			return nil
		}))
	}
	return events
}

func TestAWatchIsReadUntilItEnds(t *testing.T) {
	event := func(kind, name, version string) string {
		return fmt.Sprintf(`{"type":%q,"object":{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":%q,"resourceVersion":%q}}}`, kind, name, version)
	}
	two := event("ADDED", "a", "1") + "\n" + event("MODIFIED", "a", "2")
	reversed := `{"object":{"metadata":{"name":"b","resourceVersion":"3"}},"type":"DELETED"}`
	expired := `{"type":"ERROR","object":{"kind":"Status","apiVersion":"v1","status":"Failure","message":"too old","reason":"Expired","code":410}}`
	for stream, want := range map[string][]string{
		``:                                   nil,
		two + reversed:                       {"ADDED a at 1", "MODIFIED a at 2", "DELETED b at 3"},
		event("BOOKMARK", "", "9"):           {"BOOKMARK  at 9"},
		two + expired:                        {"ADDED a at 1", "MODIFIED a at 2", "ERROR too old"},
		two + `{"type":"ADDED","object":{"m`: {"ADDED a at 1", "MODIFIED a at 2"},
		event("ADDED", "a", "1") + `{"hunter2"}`: {"ADDED a at 1",
			"ERROR Internal error occurred: source: the API server's answer is no JSON, at byte 120"},
		event("GUESSED", "a", "1") + two: {"ERROR Internal error occurred: source: the API server's watch sent an event that is none"},
		`{"type":"ERROR","object":7}`:    {"ERROR Internal error occurred: source: the API server's watch sent an event that is none"},
		`[]`:                             {"ERROR Internal error occurred: it is not of the shape that was asked for"},
	} {
		require.Empty(t, cmp.Diff(want, heard(t, stream)), stream)
	}
}

// The reader of a watch that nobody listens to any more ends, and lets go of the connection.
func TestAWatchThatIsStoppedEndsItsReader(t *testing.T) {
	closed := make(chan struct{})
	body, write := io.Pipe()
	w := newWatchStream(closing{body, closed}, func() { _ = write.Close() })
	_, err := io.WriteString(write, `{"type":"ADDED","object":{}}`)
	require.NoError(t, err)
	w.Stop()
	w.Stop()
	<-closed
}

type closing struct {
	io.Reader
	closed chan struct{}
}

func (c closing) Close() error {
	close(c.closed)
	return nil
}

// Whatever a server sends, what we take for a list client-go takes for the same list.
func FuzzListsAreReadAsClientGoReadsThem(f *testing.F) {
	f.Add([]byte(`{"kind":"ConfigMapList","apiVersion":"v1",` + meta7 + `,"items":[` + itemA + `,` + itemB + `]}`))
	f.Add([]byte(`{"items":[` + itemA + `],"apiVersion":"v1","metadata":{},"kind":"XList"}`))
	f.Add([]byte(`{"kind":"List","items":[{"a":1e400,"kind":"x"},{"a":"\ud800\u0000"}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var objects []map[string]any
		got, err := readList(strings.NewReader(string(data)), func(o *object) error {
			objects = append(objects, o.unstructured().Object)
			return nil
		})
		if err != nil {
			return
		}
		var want unstructured.UnstructuredList
		if err := want.UnmarshalJSON(data); err != nil {
			t.Skip("client-go demands more of an object: ", err)
		}
		require.Equal(t, page{want.GetContinue(), want.GetResourceVersion()}, got)
		require.Len(t, objects, len(want.Items))
		for i := range objects {
			require.Empty(t, cmp.Diff(want.Items[i].Object, objects[i]))
		}
	})
}
