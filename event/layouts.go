package event

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation"
)

// ByTypeLayout keeps an object in {resource[.group]}/{namespace|_cluster}/{name}.yaml, so that all
// objects of a type stand together:
//
//	namespaces/_cluster/default.yaml
//	services/default/web.yaml
//	deployments.apps/default/web.yaml
//
// Names are escaped and cut as those of DefaultLayout.
var ByTypeLayout Layout = mustTemplate("by-type/v1", byTypeTemplate)

const (
	defaultTemplate = "{namespace}/{resource.group}/{name}.yaml"
	byTypeTemplate  = "{resource.group}/{namespace}/{name}.yaml"
	flatName        = "flat/v1/"
	templateName    = "template/v1/"
)

// FlatLayout keeps the objects of one namespace side by side, in {resource[.group]}_{name}.yaml.
// Objects of other namespaces are in a folder of their namespace each, and those without a
// namespace in the folder _cluster. That of the namespace "shop":
//
//	deployments.apps_web.yaml
//	services_web.yaml
//	other/services_web.yaml
//	_cluster/namespaces_shop.yaml
//
// Without a namespace, "", it is for objects of cluster scope, which stand at the top then. Names
// are escaped as those of DefaultLayout. A resource with its group is cut to 191 bytes, and a name
// to what is left of 231. The Name holds the namespace: a layout for another one is another layout.
func FlatLayout(namespace string) Layout { return flatLayout{namespace} }

type flatLayout struct{ namespace string }

var (
	flatHere  = mustTemplate("", "{resource.group}_{name}.yaml")
	flatThere = mustTemplate("", "{namespace}/{resource.group}_{name}.yaml")
)

// mustTemplate compiles a template of this package. It may be for one namespace.
func mustTemplate(name, text string) *template {
	t := &template{name: name}
	if _, err := t.compile(text); err != nil {
		panic(err)
	}
	return t
}

// Name implements Layout.
func (f flatLayout) Name() string { return flatName + wordNamespace.of(ID{Namespace: f.namespace}) }

// Path implements Layout.
func (f flatLayout) Path(r Resource) string {
	if r.Namespace == f.namespace {
		return flatHere.Path(r)
	}
	return flatThere.Path(r)
}

// Collection implements Layout.
func (f flatLayout) Collection(path string) (Collection, bool) {
	if c, ok := flatHere.Collection(path); ok {
		c.Namespace = f.namespace
		return c, true
	}
	c, ok := flatThere.Collection(path)
	if !ok || c.Namespace == f.namespace {
		return Collection{}, false
	}
	return c, true
}

// ParseLayout returns the layout that a text in a configuration means:
//
//	default          DefaultLayout
//	by-type          ByTypeLayout
//	flat/NAMESPACE   FlatLayout(NAMESPACE); flat/_cluster is FlatLayout("")
//
// or a template, a path with words in braces, as
//
//	{namespace}/{group}/{resource}/{name}.yaml
//	apps/{namespace}/{resource.group}_{name}.yaml
//
// {namespace} is _cluster for objects without one, {group} is _core for the core group, and
// {resource.group} is services or deployments.apps. A template needs {namespace}, {name}, and
// {resource.group} or both {resource} and {group}, each once. Two words in one component are set
// apart by one of _ + = @ and the comma, which no word has in it. Words are escaped as by
// DefaultLayout. Each is cut to 200 bytes, or to its share of 231 where it stands in a component
// with others: then the type of a resource and a group of more than 63 bytes each may be cut.
//
// There is no {kind}: a deletion may come without the kind of the object, and a path must be known
// then too. Nor is there a {version}, since a new version of a type moves no file.
//
// The error matches ErrLayout and says which word or part is wrong, and why.
func ParseLayout(text string) (Layout, error) {
	namespace, flat := strings.CutPrefix(text, "flat/")
	switch {
	case text == "default", text == defaultTemplate:
		return DefaultLayout, nil
	case text == "by-type", text == byTypeTemplate:
		return ByTypeLayout, nil
	case text == "flat":
		return nil, fmt.Errorf("%w: flat is for one namespace: write flat/NAMESPACE, or flat/_cluster", ErrLayout)
	case flat && namespace == clusterFolder:
		return FlatLayout(""), nil
	case flat && !strings.Contains(text, "{"):
		if faults := validation.IsDNS1123Label(namespace); len(faults) > 0 {
			return nil, fmt.Errorf("%w: %.300q: the namespace of flat: %s", ErrLayout, text, faults[0])
		}
		return FlatLayout(namespace), nil
	case !strings.Contains(text, "{"):
		return nil, fmt.Errorf("%w: %.300q: use default, by-type, flat/NAMESPACE, or a template such as %s", ErrLayout, text, byTypeTemplate)
	}
	t, err := parseTemplate(text)
	if err != nil {
		return nil, err
	}
	return t, nil
}

// LayoutNamed returns the layout of this package whose Name is the given one; false if there is
// none. Each of them can be made again by its name alone.
func LayoutNamed(name string) (Layout, bool) {
	namespace, flat := strings.CutPrefix(name, flatName)
	text, isTemplate := strings.CutPrefix(name, templateName)
	switch {
	case name == DefaultLayout.Name():
		return DefaultLayout, true
	case name == ByTypeLayout.Name():
		return ByTypeLayout, true
	case flat && namespace == clusterFolder:
		return FlatLayout(""), true
	case flat:
		plain, ok := unescape(namespace, len(namespace))
		return FlatLayout(plain), ok && plain != ""
	case isTemplate:
		if t, err := parseTemplate(text); err == nil {
			return t, true
		}
	}
	return nil, false
}
