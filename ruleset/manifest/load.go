package manifest

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"io/fs"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
	"k8s.io/apimachinery/pkg/types"
)

// defaultNamespace is that of a manifest that names none, as for kubectl.
const defaultNamespace = "default"

// loader is a Config in the making.
type loader struct {
	Config
	documents  []*object // also those that are no object of Config.objects
	references []reference
	incomplete bool // a file could not be read to its end: what it holds is unknown
}

// reference is a field that names another object.
type reference struct {
	from *object
	path string
	to   id
}

func (l *loader) file(fsys fs.FS, name string) {
	content, err := readFile(fsys, name)
	if err != nil {
		l.incomplete = true
		l.document(Position{File: name}).fault("", "%v", err)
		return
	}
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	for {
		var node yaml.Node
		switch err := decoder.Decode(&node); {
		case errors.Is(err, io.EOF):
			return
		case err != nil:
			l.incomplete = true
			line, message := syntaxError(err, content)
			l.document(Position{name, line}).fault("", "%s", message)
			return
		case len(node.Content) > 0 && !isNull(node.Content[0]):
			l.object(name, node.Content[0])
		}
	}
}

func (l *loader) document(p Position) *object {
	o := &object{position: p, lines: make(map[string]int)}
	l.documents = append(l.documents, o)
	return o
}

// object reads one document and takes it in under its kind and name.
func (l *loader) object(file string, n *yaml.Node) {
	o := l.document(Position{file, n.Line})
	o.node = n
	if n.Kind != yaml.MappingNode {
		o.wrongType("", n, "an object")
		return
	}
	kindNode := child(n, "kind")
	k, ok := kinds[kindNode.Value]
	if !ok {
		o.position.Line = cmp.Or(kindNode.Line, n.Line)
		o.fault("kind", "unknown kind, use GitRepoConfig, GitDestination, WatchRule, ClusterWatchRule or Secret (%q)", kindNode.Value)
		return
	}
	o.kind, o.apiVersion = kindNode.Value, k.apiVersion
	k.read(l, o)
	if o.ref.Name == "" {
		return
	}
	if other, ok := l.objects[o.id()]; ok {
		o.fault("metadata.name", "another %s has this namespace and name, see %s", o.kind, other.position)
		return
	}
	l.objects[o.id()] = o
}

// child returns a field of a mapping, or a node with neither value nor line.
func child(n *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i+1]
		}
	}
	return &yaml.Node{}
}

// refer remembers the reference at path, whose namespace is by default that of the object it stands
// in.
func (l *loader) refer(o *object, path, kind string, ref *types.NamespacedName) {
	ref.Namespace = cmp.Or(ref.Namespace, o.ref.Namespace)
	if ref.Name != "" {
		l.references = append(l.references, reference{o, path, id{kind, *ref}})
	}
}

// err checks the references and returns all faults, each an *Error.
func (l *loader) err() error {
	for _, r := range l.references {
		if _, ok := l.objects[r.to]; !ok && !l.incomplete {
			r.from.fault(r.path, "no %s in the folder has this namespace and name (%q)", r.to.kind, r.to.ref)
		}
	}
	var faults []*Error
	for _, o := range l.documents {
		for _, fault := range o.faults {
			fault.Kind, fault.Ref = o.kind, o.ref
			faults = append(faults, fault)
		}
	}
	slices.SortStableFunc(faults, func(a, b *Error) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line))
	})
	errs := make([]error, len(faults))
	for i, fault := range faults {
		errs[i] = fault
	}
	return errors.Join(errs...)
}

var (
	atLine        = regexp.MustCompile(`^line (\d+): `)
	unknownAnchor = regexp.MustCompile(`^unknown anchor '(.*)' referenced$`)
	ofParser      = regexp.MustCompile(`^did not find expected (?:<|node content|'-'|key|',')`)
)

// syntaxError returns the line and the text of an error of package yaml, which counts lines from 0
// where its parser, and from 1 where its scanner finds it. It does not repeat the name of an
// unknown anchor: that may be a password which begins with "*" and stands without quotes.
func syntaxError(err error, content []byte) (int, string) {
	message := strings.TrimPrefix(err.Error(), "yaml: ")
	if anchor := unknownAnchor.FindStringSubmatch(message); anchor != nil {
		before, _, _ := bytes.Cut(content, []byte("*"+anchor[1]))
		return 1 + bytes.Count(before, []byte("\n")), `not YAML: put what begins with "*" in quotes`
	}
	line := 1
	if at := atLine.FindStringSubmatch(message); at != nil {
		line, _ = strconv.Atoi(at[1])
		message = message[len(at[0]):]
		if ofParser.MatchString(message) {
			line++
		}
	}
	return line, "not YAML: " + message
}

// id tells the objects of a folder apart.
type id struct {
	kind string
	ref  types.NamespacedName
}

// String returns the kind, and the namespace and name as far as there are any.
func (i id) String() string {
	if i.ref.Name == "" {
		return i.kind
	}
	return i.kind + " " + strings.TrimPrefix(i.ref.String(), "/")
}
