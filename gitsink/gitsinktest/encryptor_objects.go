package gitsinktest

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
)

// sensitive is an object with values that nothing else has.
type sensitive struct {
	event.Plaintext
	hidden []string
}

// secretValue makes a value, as it is and in base64.
func secretValue() (plain, encoded string) {
	plain = "plain-" + rand.Text()
	return plain, base64.StdEncoding.EncodeToString([]byte(plain))
}

// sensitiveSecret makes a Secret.
func sensitiveSecret(to destination.Destination, name string) sensitive {
	password, encoded := secretValue()
	text, _ := secretValue()
	return sensitive{plainOf(to, event.Resource{
		ID: event.ID{Resource: "secrets", Namespace: "default", Name: name}, Version: "v1", Kind: "Secret",
	}, `apiVersion: v1
data:
  empty: ""
  password: `+encoded+`
  tls.crt: AAECAwT/
kind: Secret
metadata:
  annotations:
    note: an annotation
  labels:
    app: shop
  name: `+name+`
  namespace: default
stringData:
  text: |
    `+text+`
    ü: "quoted"
type: Opaque
`), []string{password, encoded, text}}
}

// sensitiveObject makes an object of another kind, of which everything is hidden or the fields.
func sensitiveObject(to destination.Destination, fields ...string) sensitive {
	value, _ := secretValue()
	other, _ := secretValue()
	s := sensitive{plainOf(to, event.Resource{
		ID: event.ID{Group: "example.com", Resource: "widgets", Namespace: "default", Name: "widget"}, Version: "v1", Kind: "Widget",
	}, `apiVersion: example.com/v1
kind: Widget
metadata:
  name: widget
  namespace: default
spec:
  credentials:
    token: `+value+`
  list:
  - null
  - 1
  - -2.5
  - true
  - secret: `+other+`
`), []string{value, other}}
	s.Fields = fields
	return s
}

func plainOf(to destination.Destination, r event.Resource, content string) event.Plaintext {
	return event.Plaintext{Destination: to, Resource: r, Path: event.DefaultLayout.Path(r), Content: []byte(content)}
}

// replaced is the object with another text in its content.
func (s sensitive) replaced(old, text string) sensitive {
	s.Content = bytes.Replace(s.Content, []byte(old), []byte(text), 1)
	return s
}

// odd are Secrets that are easily taken for others.
func odd(to destination.Destination) (all []sensitive) {
	for i, value := range []string{
		`""`, `"1"`, `"1\n"`, `"01"`, `"1.0"`, `"true"`, `"null"`, `"~"`, `" "`, `"\t"`, `"a: b"`, `"- a"`, `"# a"`, `"\u0000"`, `"ü"`, `"u\u0308"`, `"\U0001F511"`, `"a\nb"`, `"a\r\nb"`,
		`"2026-01-01"`,
	} {
		s := sensitive{plainOf(to, event.Resource{
			ID: event.ID{Resource: "secrets", Namespace: "default", Name: "odd"}, Version: "v1", Kind: "Secret",
		}, "apiVersion: v1\nkind: Secret\nmetadata:\n  name: odd\n  namespace: default\nstringData:\n  value: "+value+"\n"), nil}
		if i == 0 {
			bare := s
			bare.Content = bytes.Replace(s.Content, []byte("stringData:\n  value: \"\"\n"), nil, 1)
			all = append(all, bare)
		}
		all = append(all, s)
	}
	return all
}

// shown returns an error if text has a hidden value in it, without showing it.
func (s sensitive) shown(text, what string) error {
	for i, value := range s.hidden {
		if strings.Contains(text, value) {
			return fmt.Errorf("%s of %s has value %d of its %d hidden ones in it", what, s.Resource.ID, i+1, len(s.hidden))
		}
	}
	return nil
}

// damages are what may become of a file.
func damages(file, plain []byte) map[string][]byte {
	middle := bytes.Clone(file)
	clear(middle[len(file)/3 : 2*len(file)/3])
	backwards := bytes.Clone(file)
	slices.Reverse(backwards)
	return map[string][]byte{
		"the object in plain text":          plain,
		"half of the file":                  file[:len(file)/2],
		"the other half":                    file[len(file)/2:],
		"a file with nothing in the middle": middle,
		"a file backwards":                  backwards,
		"garbage":                           {0xff, 0, '{', '[', ':', '\n', 0x80},
		"a line":                            []byte("# nothing\n"),
	}
}
