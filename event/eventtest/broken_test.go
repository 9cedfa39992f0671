package eventtest

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/internal/kittest"
)

// broken is DefaultLayout with some methods replaced.
type broken struct {
	name       func() string
	path       func(event.Resource) string
	collection func(string) (event.Collection, bool)
}

func (b broken) Name() string {
	if b.name == nil {
		return "broken"
	}
	return b.name()
}

func (b broken) Path(r event.Resource) string {
	if b.path == nil {
		return event.DefaultLayout.Path(r)
	}
	return b.path(r)
}

func (b broken) Collection(path string) (event.Collection, bool) {
	if b.collection == nil {
		return event.DefaultLayout.Collection(path)
	}
	return b.collection(path)
}

// without is DefaultLayout for a part of the identity.
func without(forget func(*event.Resource)) broken {
	return broken{path: func(r event.Resource) string {
		forget(&r)
		return event.DefaultLayout.Path(r)
	}}
}

// edited is DefaultLayout with another spelling of its paths.
func edited(edit func(path string, r event.Resource) string) broken {
	return broken{path: func(r event.Resource) string { return edit(event.DefaultLayout.Path(r), r) }}
}

func replaced(pairs ...string) broken {
	return edited(func(path string, _ event.Resource) string { return strings.NewReplacer(pairs...).Replace(path) })
}

const (
	named      = "the layout has one name"
	pure       = "an object has the same path for ever"
	identity   = "the version and the kind play no part"
	injective  = "two objects have two paths"
	folders    = "no path is a folder of another"
	taken      = "Git and every file system take the paths"
	meant      = "no path is that of instructions to a tool"
	invertible = "the collection of an object can be told from its path"
	modest     = "what the layout did not write belongs to no collection"
	concurrent = "all methods may be called concurrently"
)

func brokenLayouts() []kittest.Broken {
	var calls int
	var shared atomic.Pointer[event.Resource] // of all goroutines
	all := []struct {
		name   string
		by     map[string]string
		layout broken
	}{
		{"it has no name", map[string]string{named: "is empty"}, broken{name: func() string { return "" }}},
		{"its name changes", map[string]string{named: "and then"}, broken{name: func() string { calls++; return fmt.Sprint("v", calls) }}},
		{"its name has two lines", map[string]string{named: "printed in one line"}, broken{name: func() string { return "a\nb" }}},
		{"its name ends with a space", map[string]string{named: "a space"}, broken{name: func() string { return "a " }}},
		{"its name has no end", map[string]string{named: "more than 1000"}, broken{name: func() string { return strings.Repeat("a", 1001) }}},
		{"its paths are drawn", map[string]string{pure: "and then"}, edited(func(path string, _ event.Resource) string {
			return fmt.Sprint(rand.Int64(), "/", path)
		})},
		{"a new version moves a file", map[string]string{identity: `the version "v1"`}, edited(func(path string, r event.Resource) string {
			return "v" + r.Version + "/" + path
		})},
		{"the kind is in the path", map[string]string{identity: `the kind "Pod"`}, edited(func(path string, r event.Resource) string {
			return "k" + strings.ToLower(r.Kind) + "/" + path
		})},
		{"it forgets the group", map[string]string{injective: "two objects share"}, without(func(r *event.Resource) { r.Group = "" })},
		{"it forgets the namespace", map[string]string{injective: "two objects share", invertible: "want"}, without(func(r *event.Resource) { r.Namespace = "" })},
		{"it forgets the resource", map[string]string{injective: "two objects share"}, without(func(r *event.Resource) { r.Resource = "x" })},
		{"it joins two words with what both may have", map[string]string{injective: "two objects share"}, edited(func(_ string, r event.Resource) string {
			return r.Namespace + "/" + r.Group + "." + r.Resource + "-" + r.Name
		})},
		{"it keeps the case", map[string]string{injective: "two objects share"}, edited(func(_ string, r event.Resource) string {
			return fmt.Sprintf("%q/%q/%q/%q", r.Namespace, r.Group, r.Resource, r.Name)
		})},
		{"it ignores the case", map[string]string{injective: "two objects share"}, without(func(r *event.Resource) { r.Name = strings.ToLower(r.Name) })},
		{"it cuts without a hash", map[string]string{injective: "two objects share"}, without(func(r *event.Resource) { r.Name = r.Name[:min(len(r.Name), 200)] })},
		{"it takes a colon for a dash", map[string]string{injective: "two objects share"}, replaced("%3A", "-")},
		{"a file is a folder too", map[string]string{folders: "and a folder of"}, edited(func(path string, r event.Resource) string {
			path = strings.TrimSuffix(path, ".yaml")
			if r.Group == "" {
				return path
			}
			return strings.Replace(path, "."+r.Group, "", 1) + "/" + r.Group
		})},
		{"it doubles a slash", map[string]string{taken: "not clean"}, replaced("/", "//")},
		{"it does not escape", map[string]string{taken: "Windows does not allow"}, edited(func(_ string, r event.Resource) string {
			return "x" + r.Namespace + "/x" + r.Resource + "." + r.Group + "x/" + r.Name + ".yaml"
		})},
		{"it leaves its folder", map[string]string{taken: "could be read as"}, replaced("%2E%2E", "..")},
		{"it writes into .git", map[string]string{taken: ".git"}, replaced("%2Egit", ".git")},
		{"it does not cut", map[string]string{taken: "more than 255"}, edited(func(_ string, r event.Resource) string {
			return fmt.Sprintf("n%x/g%x/r%x/%x.yaml", r.Namespace, r.Group, r.Resource, r.Name)
		})},
		{"it opens devices", map[string]string{taken: "device of Windows"}, replaced("%63on", "con", "%61ux", "aux")},
		{"it opens ports", map[string]string{taken: "device of Windows"}, replaced("%63om", "com", "%6Cpt", "lpt")},
		{"it writes what Windows cannot", map[string]string{taken: "Windows does not allow"}, replaced("%3A", ":")},
		{"it ends a folder with a dot", map[string]string{taken: "ends with a dot"}, replaced("a%2E/", "a./")},
		{"it writes umlauts", map[string]string{taken: "a Mac stores"}, replaced("%C3%A4", "ä")},
		{"it writes a kustomization", map[string]string{meant: "instructions"}, replaced("%6Bustomization", "kustomization")},
		{"it writes an ownership file", map[string]string{meant: ".kubescribe"}, edited(func(path string, _ event.Resource) string {
			return path + "/.kubescribe"
		})},
		{"it forgets its cluster scope", map[string]string{invertible: "want"}, broken{collection: func(path string) (event.Collection, bool) {
			c, ok := event.DefaultLayout.Collection(path)
			if ok && c.Namespace == "" {
				c.Namespace = "_cluster"
			}
			return c, ok
		}}},
		{"its collection is the whole type", map[string]string{invertible: "want"}, broken{collection: func(path string) (event.Collection, bool) {
			c, ok := event.DefaultLayout.Collection(path)
			c.Namespace, c.All = "", ok
			return c, ok
		}}},
		{"it knows none of its files", map[string]string{invertible: "not known as its own"}, broken{collection: func(string) (event.Collection, bool) {
			return event.Collection{}, false
		}}},
		{"it takes each file for its own", map[string]string{modest: "taken for a file of"}, broken{collection: func(path string) (event.Collection, bool) {
			c, _ := event.DefaultLayout.Collection(path)
			return c, true
		}}},
		{"it does not look at the extension", map[string]string{modest: ".bak"}, broken{collection: func(path string) (event.Collection, bool) {
			return event.DefaultLayout.Collection(strings.TrimSuffix(path, ".bak"))
		}}},
		{"it does not look at the case", map[string]string{modest: "taken for a file of"}, broken{collection: func(path string) (event.Collection, bool) {
			return event.DefaultLayout.Collection(strings.ToLower(path))
		}}},
		{"it takes a folder for a file", map[string]string{modest: "taken for a file of"}, broken{collection: func(path string) (event.Collection, bool) {
			return event.DefaultLayout.Collection(strings.TrimSuffix(path, "/"))
		}}},
		{"it keeps what it is asked", map[string]string{concurrent: "alone"}, edited(func(_ string, r event.Resource) string {
			shared.Store(&r)
			runtime.Gosched() // another caller may come in between
			return event.DefaultLayout.Path(*shared.Load())
		})},
		{"it panics", map[string]string{pure: "panicked"}, edited(func(_ string, r event.Resource) string { return r.Name[:1] })},
	}
	var out []kittest.Broken
	for _, b := range all {
		out = append(out, kittest.Broken{Name: b.name, By: b.by, Run: func(_ *testing.T, name string) error {
			for _, c := range layoutChecks {
				if c.name == name {
					return c.against(b.layout)
				}
			}
			return nil
		}})
	}
	return out
}

type errNever struct{}

func (errNever) Error() string { return "no check is skipped" }

func TestEachBrokenLayoutIsRefused(t *testing.T) {
	kittest.RequireRefused(t, catalogue(), brokenLayouts(), errNever{})
}

func TestEachCheckRefusesABrokenLayout(t *testing.T) {
	kittest.RequireUse(t, catalogue(), brokenLayouts())
}
