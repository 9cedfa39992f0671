package object

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/kubescribe/kubescribe/gitsink"
)

// No configuration of git but the tests' own counts.
func TestMain(m *testing.M) {
	for key, value := range map[string]string{"GIT_CONFIG_GLOBAL": os.DevNull, "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C"} {
		if err := os.Setenv(key, value); err != nil {
			panic(err)
		}
	}
	goleak.VerifyTestMain(m)
}

func writes(files ...string) []gitsink.Change {
	var changes []gitsink.Change
	for i := 0; i < len(files); i += 2 {
		changes = append(changes, gitsink.Change{Path: files[i], Data: []byte(files[i+1])})
	}
	return changes
}

func removals(paths ...string) []gitsink.Change {
	var changes []gitsink.Change
	for _, path := range paths {
		changes = append(changes, gitsink.Change{Path: path, Remove: true})
	}
	return changes
}

// hexID is the name with these digits.
func hexID(digits string) ID {
	if digits == "" {
		return ID{}
	}
	f := SHA1
	if len(digits) == 2*SHA256.Width() {
		f = SHA256
	}
	id, ok := ParseID(f, digits)
	if !ok {
		panic(digits)
	}
	return id
}

// mapOf is a Map with these values.
func mapOf[V any](values map[ID]V) *Map[V] {
	m := &Map[V]{}
	for id, value := range values {
		m.Set(id, value)
	}
	return m
}
