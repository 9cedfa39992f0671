package gitsink

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/queue"
)

const plainSecret = "apiVersion: v1\ndata:\n  password: aHVudGVyMg==\nkind: Secret\n"

// misbehaving is an Encryptor of the two given functions.
type misbehaving struct {
	encrypt func(plain []byte) ([]byte, error)
	same    func(stored, plain []byte) (bool, error)
}

func (m misbehaving) Encrypt(_ context.Context, p event.Plaintext) ([]byte, error) {
	return m.encrypt(p.Content)
}

func (m misbehaving) Same(_ context.Context, p event.Plaintext) (bool, error) {
	return m.same(p.Stored, p.Content)
}

func secretNamed(name string) event.Event {
	e := write("prod", name, plainSecret)
	e.Resource.Resource, e.Resource.Kind = "secrets", "Secret"
	return e
}

func TestWriterRefusesWhatAnEncryptorMustNotReturn(t *testing.T) {
	different := func(stored, plain []byte) (bool, error) { return false, nil }
	good := func([]byte) ([]byte, error) { return []byte("sealed"), nil }
	for name, broken := range map[string]misbehaving{
		"nothing":                  {func([]byte) ([]byte, error) { return nil, nil }, different},
		"an empty result":          {func([]byte) ([]byte, error) { return []byte{}, nil }, different},
		"white space":              {func([]byte) ([]byte, error) { return []byte(" \n"), nil }, different},
		"the plain text":           {func(plain []byte) ([]byte, error) { return plain, nil }, different},
		"the plain text with more": {func(plain []byte) ([]byte, error) { return append([]byte("# sealed\n"), plain...), nil }, different},
		"the plain text trimmed":   {func(plain []byte) ([]byte, error) { return plain[:len(plain)-1], nil }, different},
		"a panic with the content": {func(plain []byte) ([]byte, error) { panic(string(plain)) }, different},
		"a panic in Same":          {good, func(_, plain []byte) (bool, error) { panic(fmt.Errorf("cannot read %s", plain)) }},
	} {
		t.Run(name, func(t *testing.T) {
			sink := &memorySink{}
			first, _ := newTestWriter(t, sink, &WriterOptions{Encryptor: misbehaving{good, different}})
			require.NoError(t, first.Handle(t.Context(), batch(secretNamed("s"))))
			w, reports := newTestWriter(t, sink, &WriterOptions{Encryptor: broken})
			err := w.Handle(t.Context(), batch(secretNamed("s"), write("prod", "neighbour", "1")))
			var partial *queue.PartialError
			require.ErrorAs(t, err, &partial, "the Secret is tried again")
			require.Len(t, partial.Events, 1)
			require.ErrorIs(t, err, ErrEncryptor)
			require.NotContains(t, err.Error(), "aHVudGVyMg")
			require.Len(t, (*reports)[0].Skipped, 1)
			require.True(t, (*reports)[0].Skipped[0].Retry)
			require.Equal(t, "sealed", string(sink.folder("prod")["ns/secrets/s.yaml"].Data), "what was stored stays")
			require.Contains(t, sink.names("prod"), "ns/configmaps/neighbour.yaml")
		})
	}
}

func TestWriterRefusesASecretOfAnotherResource(t *testing.T) {
	for name, change := range map[string]func(*event.Event){
		"by its kind":  func(e *event.Event) { e.Resource.Kind, e.Content = "Secret", event.NewContent([]byte("a: b\n")) },
		"by its words": func(e *event.Event) { e.Content = event.NewContent([]byte(plainSecret)) },
	} {
		t.Run(name, func(t *testing.T) {
			sink := &memorySink{}
			w, reports := newTestWriter(t, sink, &WriterOptions{Encryptor: &reverser{}})
			e := write("prod", "s", "")
			change(&e)
			require.NoError(t, w.Handle(t.Context(), batch(e, write("prod", "neighbour", "1"))))
			require.ErrorIs(t, (*reports)[0].Skipped[0].Err, event.ErrSecret)
			require.Equal(t, []string{"ns/configmaps/neighbour.yaml"}, sink.names("prod"))
		})
	}
}

// told is an Encryptor that keeps what it was asked.
type told struct{ asked []event.Plaintext }

func (e *told) Encrypt(_ context.Context, p event.Plaintext) ([]byte, error) {
	e.asked = append(e.asked, p)
	return []byte(fmt.Sprintf("sealed: %x\n", p.Content)), nil
}

func (*told) Same(context.Context, event.Plaintext) (bool, error) { return false, nil }

func TestAnEncryptorIsToldTheFileAndWhatStandsInIt(t *testing.T) {
	sink, enc := &memorySink{}, &told{}
	w, _ := newTestWriter(t, sink, &WriterOptions{Encryptor: enc})
	require.NoError(t, w.Handle(t.Context(), batch(secretNamed("s"))))
	require.NoError(t, w.Handle(t.Context(), batch(secretNamed("s"))))
	require.Len(t, enc.asked, 2)
	first, second := enc.asked[0], enc.asked[1]
	require.Equal(t, "clusters/prod/ns/secrets/s.yaml", first.Path)
	require.Equal(t, first.Path, second.Path)
	require.Nil(t, first.Stored)
	require.Equal(t, fmt.Sprintf("sealed: %x\n", plainSecret), string(second.Stored))
	require.Equal(t, plainSecret, string(second.Content))
	require.Equal(t, secretNamed("s").Resource, second.Resource)
	require.Equal(t, "prod", second.Destination.Ref.Name)
}

const plainDatabase = "apiVersion: db.example/v1\nkind: Database\nmetadata:\n  name: main\nspec:\n  password: correct-horse-battery\n  size: 1\n"

func databaseNamed(name string, sensitive *event.Sensitive) event.Event {
	e := write("prod", name, plainDatabase)
	e.Resource.Group, e.Resource.Resource, e.Resource.Kind, e.Sensitive = "db.example", "databases", "Database", sensitive
	return e
}

func TestWhatIsSensitiveIsEncryptedOrRefusedAndNeverPlain(t *testing.T) {
	byOption := []event.SensitiveType{{APIGroups: []string{"db.example"}, Pointers: []string{"/spec/password"}}}
	whole, field := &event.Sensitive{}, &event.Sensitive{Fields: []string{"/spec/*"}}
	for name, tt := range map[string]struct {
		types  []event.SensitiveType
		e      event.Event
		fields []string
	}{
		"by its event":          {nil, databaseNamed("a", whole), nil},
		"a field by its event":  {nil, databaseNamed("a", field), []string{"/spec/password", "/spec/size"}},
		"a field by an option":  {byOption, databaseNamed("a", nil), []string{"/spec/password"}},
		"by both":               {byOption, databaseNamed("a", whole), nil},
		"fields by both":        {byOption, databaseNamed("a", &event.Sensitive{Fields: []string{"/spec/size"}}), []string{"/spec/password", "/spec/size"}},
		"a Secret":              {nil, secretNamed("a"), nil},
		"a Secret by an option": {[]event.SensitiveType{{Resources: []string{"secrets"}}}, secretNamed("a"), nil},
		"a Secret and a field of it": {[]event.SensitiveType{{Resources: []string{"secrets"}, Pointers: []string{"/metadata/annotations/token"}}}, secretNamed("a"),
			[]string{"/data", "/metadata/annotations/token", "/stringData"}},
	} {
		t.Run(name, func(t *testing.T) {
			sink, enc := &memorySink{}, &told{}
			w, reports := newTestWriter(t, sink, &WriterOptions{Sensitive: tt.types})
			require.NoError(t, w.Handle(t.Context(), batch(tt.e, write("prod", "neighbour", "1"))), "it is not tried again")
			require.ErrorIs(t, (*reports)[0].Skipped[0].Err, event.ErrSecret)
			require.Equal(t, []string{"ns/configmaps/neighbour.yaml"}, sink.names("prod"))

			w, _ = newTestWriter(t, sink, &WriterOptions{Sensitive: tt.types, Encryptor: enc})
			require.NoError(t, w.Handle(t.Context(), batch(tt.e)))
			require.Len(t, enc.asked, 1)
			require.Equal(t, tt.fields, enc.asked[0].Fields)
			for path, file := range sink.folder("prod") {
				require.NotContains(t, string(file.Data), "correct-horse-battery", path)
			}
		})
	}
}

func TestWriterRefusesTheValueOfASensitiveField(t *testing.T) {
	sink := &memorySink{}
	leaking := misbehaving{func(plain []byte) ([]byte, error) {
		return []byte("spec:\n  password: correct-horse-battery\n  size: ENC\n"), nil
	},
		func(_, _ []byte) (bool, error) { return false, nil }}
	w, reports := newTestWriter(t, sink, &WriterOptions{Encryptor: leaking})
	err := w.Handle(t.Context(), batch(databaseNamed("a", &event.Sensitive{Fields: []string{"/spec/password"}})))
	require.ErrorIs(t, err, ErrEncryptor)
	require.ErrorContains(t, err, "/spec/password")
	require.NotContains(t, err.Error(), "correct-horse")
	require.True(t, (*reports)[0].Skipped[0].Retry)
	require.Empty(t, sink.names("prod"))
}

// What was written in plain before is not good enough, whatever its digest says.
func TestASeedEncryptsWhatWasPlainBefore(t *testing.T) {
	sink, enc := &memorySink{}, &told{}
	plain := databaseNamed("a", nil)
	first, _ := newTestWriter(t, sink, nil)
	require.NoError(t, first.Handle(t.Context(), batch(plain)))
	object := event.Object{Resource: plain.Resource, Digest: plain.Content.Digest()}
	for differs, types := range [][]event.SensitiveType{nil, {{Resources: []string{"databases"}}}} {
		live := &comparing{objects: []event.Object{object}}
		w, _ := newTestWriter(t, sink, &WriterOptions{Encryptor: enc, Sensitive: types})
		require.NoError(t, w.Handle(t.Context(), batch(event.NewSeedSync(plain.Destination, live))))
		require.Len(t, live.differ, differs)
	}
}

// An Encryptor that takes everything for its own work does not keep a file in plain.
func TestAPlainFileIsNoEncryptionOfItself(t *testing.T) {
	sink := &memorySink{}
	plain := databaseNamed("a", nil)
	first, _ := newTestWriter(t, sink, nil)
	require.NoError(t, first.Handle(t.Context(), batch(plain)))
	trusting := misbehaving{func([]byte) ([]byte, error) { return []byte("sealed"), nil }, func(_, _ []byte) (bool, error) { return true, nil }}
	w, _ := newTestWriter(t, sink, &WriterOptions{Encryptor: trusting})
	require.NoError(t, w.Handle(t.Context(), batch(databaseNamed("a", &event.Sensitive{}))))
	require.Equal(t, "sealed", string(sink.folder("prod")[event.DefaultLayout.Path(plain.Resource)].Data))
}

func TestAWriterRefusesSensitiveTypesThatCannotBe(t *testing.T) {
	_, err := NewWriter(&memorySink{}, "cluster", &WriterOptions{Sensitive: []event.SensitiveType{{}, {Pointers: []string{"/kind"}}}})
	require.ErrorContains(t, err, `Sensitive[1]: event: Pointers[0] "/kind"`)
}
