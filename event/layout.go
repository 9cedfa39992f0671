package event

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"strings"
)

// Layout maps each object to the path of its file. An implementation must be pure: the same
// Resource has the same Path for ever, since files written yesterday are recognised by it. All
// methods may be called concurrently.
type Layout interface {
	// Name identifies the layout in the ownership file of a folder. A folder is written only with
	// the layout that it was begun with.
	Name() string
	// Path returns the slash-separated path below the base folder. Two different IDs never have the
	// same path, also on a file system that ignores case. Version and Kind play no part.
	Path(Resource) string
	// Collection returns the type and namespace that a path belongs to, if this layout wrote it.
	// False means that it did not, or that the path does not say. Collection(Path(r)) is the
	// collection of r, with All false.
	Collection(path string) (Collection, bool)
}

// DefaultLayout keeps an object in {namespace|_cluster}/{resource[.group]}/{name}.yaml:
//
//	_cluster/namespaces/default.yaml
//	default/services/web.yaml
//	default/deployments.apps/web.yaml
//
// Every byte outside [a-z0-9.-] is written as %XX with upper-case digits, the UTF-8 bytes of other
// characters one by one. Escaped as well are the first and the last dot of a name, a dot in a
// resource (Kubernetes allows none), and the first letter of a name that Windows keeps for a device
// (con, nul.x) or that a tool reads as instructions (kustomization.yaml). So no two names meet on a
// case-blind disk, none is hidden or leaves the folder, and none can be _cluster.
//
// A component of more than 200 bytes (the ".yaml" not counted) is cut and ends in "~" and 128 bits
// of the SHA-256 of the whole, which keeps it below the 255 bytes that file systems allow.
//
// Collection accepts exactly the paths that Path returns, a "~" component taken at its word, with
// one exception: the type or namespace of a component that was cut cannot be told. Kubernetes' own
// limits let that happen only to resource and group of together more than 199 bytes; the files of
// such a type are written and deleted like others, but never found to be orphans.
var DefaultLayout Layout = defaultLayout{}

type defaultLayout struct{}

const (
	clusterFolder = "_cluster"
	extension     = ".yaml"
	maxComponent  = 200
	hashBytes     = sha256.Size / 2
	hashDigits    = 2 * hashBytes
)

// Name implements Layout.
func (defaultLayout) Name() string { return "default/v1" }

// Path implements Layout.
func (defaultLayout) Path(r Resource) string {
	folder := clusterFolder
	if r.Namespace != "" {
		folder = shorten(escape(r.Namespace))
	}
	return folder + "/" + shorten(typeComponent(r.Resource, r.Group)) + "/" + shorten(escape(r.Name)) + extension
}

// Collection implements Layout.
func (defaultLayout) Collection(path string) (Collection, bool) {
	folder, rest, _ := strings.Cut(path, "/")
	typ, file, _ := strings.Cut(rest, "/")
	name, isYAML := strings.CutSuffix(file, extension)
	if !isYAML || !isName(name) {
		return Collection{}, false
	}
	var namespace string
	if folder != clusterFolder {
		var ok bool
		if namespace, ok = unescape(folder); !ok {
			return Collection{}, false
		}
	}
	resource, group, ok := splitType(typ)
	return Collection{Group: group, Resource: resource, Namespace: namespace}, ok
}

// typeComponent joins resource and group by the first dot of the component: a dot inside resource
// is escaped.
func typeComponent(resource, group string) string {
	s := strings.ReplaceAll(escape(resource), ".", "%2E")
	if group != "" {
		s += "." + escape(group)
	}
	return s
}

func splitType(component string) (resource, group string, ok bool) {
	if len(component) > maxComponent {
		return "", "", false
	}
	before, after, _ := strings.Cut(component, ".")
	// what is no escape is "", which is written as no other component
	resource, _ = url.PathUnescape(before)
	group, _ = url.PathUnescape(after)
	return resource, group, typeComponent(resource, group) == component
}

// isName reports whether a name can have been written as component, in whole or cut.
func isName(component string) bool {
	head, hash, cut := strings.Cut(component, "~")
	if !cut {
		_, ok := unescape(component)
		return ok
	}
	if len(hash) != hashDigits || strings.Trim(hash, "0123456789abcdef") != "" {
		return false
	}
	if len(component) > maxComponent || len(component) < maxComponent-len("%X") {
		return false
	}
	// something followed, so that a dot at the end of head is not the last
	_, ok := unescape(head + "-")
	return ok
}

// shorten cuts an escaped component that is too long, but never an escape in two.
func shorten(component string) string {
	if len(component) <= maxComponent {
		return component
	}
	head := component[:maxComponent-len("~")-hashDigits]
	if i := strings.LastIndexByte(head, '%'); i > len(head)-len("%XX") {
		head = head[:i]
	}
	sum := sha256.Sum256([]byte(component))
	return head + "~" + hex.EncodeToString(sum[:hashBytes])
}

// escape writes s as a component. Escaped text holds neither "_" nor "~", and no letters in the
// other case.
func escape(s string) string {
	if s == "" {
		return "_" // in no valid event; it keeps paths well-formed all the same
	}
	first := 0
	if isReserved(s) {
		first = 1
	}
	if first == 0 && strings.IndexFunc(s, isEscaped) < 0 && s[0] != '.' && s[len(s)-1] != '.' {
		return s
	}
	const digits = "0123456789ABCDEF"
	escaped := make([]byte, 0, len(s)+8)
	for i := range len(s) {
		c := s[i]
		edge := c == '.' && (i == 0 || i == len(s)-1)
		if i < first || edge || isEscaped(rune(c)) {
			escaped = append(escaped, '%', digits[c>>4], digits[c&15])
		} else {
			escaped = append(escaped, c)
		}
	}
	return string(escaped)
}

// unescape returns the one string that escape writes as component, if there is one and it was not
// cut.
func unescape(component string) (string, bool) {
	if len(component) > maxComponent {
		return "", false
	}
	// what is no escape is "", which is written as no other component
	s, _ := url.PathUnescape(component)
	return s, escape(s) == component
}

func isEscaped(c rune) bool {
	return !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '.')
}

// isReserved reports whether a file of this name plus extension means something to others: Windows
// opens a device whatever follows the first dot, and kustomize takes kustomization.yaml for its
// instructions.
func isReserved(s string) bool {
	if s == "kustomization" {
		return true
	}
	device, _, _ := strings.Cut(s, ".")
	switch len(device) {
	case 3:
		return device == "con" || device == "prn" || device == "aux" || device == "nul"
	case 4:
		port := device[:3]
		return (port == "com" || port == "lpt") && '0' <= device[3] && device[3] <= '9'
	}
	return false
}
