package event

import "strings"

// Layout maps each object to the path of its file. An implementation must be pure: the same
// Resource has the same Path for ever, since files written yesterday are recognised by it. All
// methods may be called concurrently. Package eventtest checks a layout of your own.
type Layout interface {
	// Name identifies the layout in the ownership file of a folder. A folder is written only with
	// the layout that it was begun with, unless somebody allows its files to be moved to another.
	// It is one line of printable text, and another one if a path of any object is.
	Name() string
	// Path returns the slash-separated path below the base folder. Two different IDs never have the
	// same path, also on a file system that ignores case, and no path is a folder of another.
	// Version and Kind play no part. Each path is one that Git and every file system take, and no
	// file that a tool takes for its instructions, as kustomization.yaml.
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
)

// Name implements Layout.
func (defaultLayout) Name() string { return "default/v1" }

// Path implements Layout.
func (defaultLayout) Path(r Resource) string {
	folder := clusterFolder
	if r.Namespace != "" {
		folder = shorten(escape(r.Namespace), maxComponent)
	}
	return folder + "/" + shorten(typeComponent(r.Resource, r.Group), maxComponent) + "/" +
		shorten(escape(r.Name), maxComponent) + extension
}

// Collection implements Layout.
func (defaultLayout) Collection(path string) (Collection, bool) {
	folder, rest, _ := strings.Cut(path, "/")
	typ, file, _ := strings.Cut(rest, "/")
	name, isYAML := strings.CutSuffix(file, extension)
	if !isYAML || !isName(name, maxComponent) {
		return Collection{}, false
	}
	var namespace string
	if folder != clusterFolder {
		var ok bool
		if namespace, ok = unescape(folder, maxComponent); !ok {
			return Collection{}, false
		}
	}
	resource, group, ok := splitType(typ, maxComponent)
	return Collection{Group: group, Resource: resource, Namespace: namespace}, ok
}
