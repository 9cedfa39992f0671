package event_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/event"
)

const database = `apiVersion: db.example/v1
kind: Database
metadata:
  annotations:
    note: the-name-of-the-admin
  name: main
spec:
  admin: the-name-of-the-admin
  key: |
    -----BEGIN KEY-----
    MIIEpAIBAAKCAQEA1234567890
    -----END KEY-----
  password: hunter2
  pin: 1234
  users:
  - name: a
    password: correct-horse-battery
  - name: b
    password: staple
`

func TestSensitiveFieldsAreThoseThatTheObjectHas(t *testing.T) {
	for _, tt := range []struct{ fields, want []string }{
		{nil, nil},
		{[]string{"/spec/password"}, []string{"/spec/password"}},
		{[]string{"/spec/users/*/password", "/spec/password", "/spec/password"}, []string{"/spec/password", "/spec/users/0/password", "/spec/users/1/password"}},
		{[]string{"/spec/absent", "/spec/*/absent"}, []string{"/spec/absent"}},
		{[]string{"/spec/*/absent"}, nil}, // then all of the object is encrypted
	} {
		sensitive := &event.Sensitive{Fields: tt.fields}
		require.Equal(t, tt.want, sensitive.In([]byte(database)))
	}
	for _, content := range []string{"", "- a\n", "a: [", "text"} {
		require.Nil(t, (&event.Sensitive{Fields: []string{"/spec/password"}}).In([]byte(content)), content)
	}
}

func TestAPlainValueOfASensitiveFieldIsALeakWhereverItStands(t *testing.T) {
	sealed := strings.NewReplacer("hunter2", "ENC[1]", "correct-horse-battery", "ENC[2]", "staple", "ENC[3]").Replace(database)
	users := []string{"/spec/password", "/spec/users/0/password", "/spec/users/1/password"}
	secret := "apiVersion: v1\ndata:\n  token: " + base64.StdEncoding.EncodeToString([]byte("correct-horse-battery")) + "\nkind: Secret\nmetadata:\n  name: token\n"
	ofSecret := event.Resource{ID: event.ID{Resource: "secrets"}}
	for name, tt := range map[string]struct {
		content, stored string
		resource        event.Resource
		fields          []string
		leak            string
	}{
		"sealed":                          {database, sealed, event.Resource{}, users, ""},
		"sealed as something else":        {database, "age-encryption.org/v1 xyz", event.Resource{}, nil, ""},
		"one short value in its place":    {database, strings.Replace(sealed, "ENC[1]", "hunter2", 1), event.Resource{}, users, "/spec/password"},
		"a short value elsewhere":         {database, sealed + "note: hunter2\n", event.Resource{}, users, ""},
		"a long value elsewhere":          {database, sealed + "# correct-horse-battery\n", event.Resource{}, users, "/spec/users/0/password"},
		"a number in its place":           {database, sealed, event.Resource{}, []string{"/spec/pin"}, "/spec/pin"},
		"what is public as well":          {database, strings.Replace(sealed, "admin: the", "admin: ENC[the", 1), event.Resource{}, []string{"/spec/admin"}, ""},
		"what is public, in its place":    {database, sealed, event.Resource{}, []string{"/spec/admin"}, "/spec/admin"},
		"a line of a text":                {database, "x: MIIEpAIBAAKCAQEA1234567890", event.Resource{}, []string{"/spec/key"}, "/spec/key"},
		"all but the name":                {database, "spec: ENC[x]\nmain: main\n", event.Resource{}, nil, ""},
		"all, and a part of it":           {database, "spec:\n  pin: 1234\n", event.Resource{}, nil, "/spec/pin"},
		"a Secret":                        {secret, "data:\n  token: ENC[x]\nkind: Secret\n", ofSecret, nil, ""},
		"a Secret in base64":              {secret, "sealed: " + base64.StdEncoding.EncodeToString([]byte("correct-horse-battery")), ofSecret, nil, "/data/token"},
		"a Secret without base64":         {secret, "stringData:\n  token: correct-horse-battery\n", ofSecret, nil, "/data/token"},
		"a field with a star is no field": {database, sealed, event.Resource{}, []string{"/spec/users/*/password"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := event.Plaintext{Resource: tt.resource, Content: []byte(tt.content), Fields: tt.fields}
			field, leaks := p.Leaks([]byte(tt.stored))
			require.Equal(t, tt.leak, field)
			require.Equal(t, tt.leak != "", leaks)
		})
	}
}

func TestWhatIsSensitiveIsWhatAnybodyCallsSo(t *testing.T) {
	a, b, whole := &event.Sensitive{Fields: []string{"/a"}}, &event.Sensitive{Fields: []string{"/b", "/a"}}, &event.Sensitive{}
	require.Equal(t, []string{"/a", "/b"}, a.Union(b).Fields)
	require.Same(t, whole, a.Union(whole))
	require.Same(t, whole, whole.Union(a))
	require.Same(t, a, a.Union(nil))
	var none *event.Sensitive
	require.Same(t, a, none.Union(a))
	require.Nil(t, none.Union(nil))
	require.True(t, none.Same(nil))
	require.False(t, none.Same(whole))
	require.False(t, a.Same(b))
	require.True(t, a.Same(&event.Sensitive{Fields: []string{"/a"}}))

	types := []event.SensitiveType{{APIGroups: []string{"db.example"}}, {Resources: []string{"keys"}, Pointers: []string{"/a"}}, {APIGroups: []string{"*"}, Resources: []string{"others"}}}
	require.Empty(t, event.SensitiveBy(types, "db.example", "keys").Fields)
	require.Equal(t, []string{"/a"}, event.SensitiveBy(types, "x", "keys").Fields)
	require.NotNil(t, event.SensitiveBy(types, "x", "others"))
	require.Nil(t, event.SensitiveBy(types, "x", "y"))
	for _, pointer := range []string{"", "/", "/kind", "/metadata", "/*", "/metadata/name"} {
		require.ErrorContains(t, (&event.SensitiveType{Pointers: []string{"/spec", pointer}}).Validate(), "Pointers[1]")
	}
}

func TestWhatIsSensitiveIsRefusedWithoutAnEncryptor(t *testing.T) {
	obj := object(t, "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, namespace: b}\n")
	gvr := obj.GroupVersionKind().GroupVersion().WithResource("configmaps")
	sensitive := &event.Sensitive{Fields: []string{"/data/x"}}
	_, err := event.FromObject(team, event.Create, gvr, obj, &event.Options{Sensitive: sensitive})
	require.ErrorIs(t, err, event.ErrSensitive)
	require.ErrorIs(t, err, event.ErrSecret)
	e, err := event.FromObject(team, event.Create, gvr, obj, &event.Options{Sensitive: sensitive, Encryptor: refusing{t}})
	require.NoError(t, err)
	require.Same(t, sensitive, e.Sensitive)
	require.NotErrorIs(t, event.ErrSecret, event.ErrSensitive)
}
