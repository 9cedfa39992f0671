package canonicaltest

import (
	"fmt"
	"reflect"

	utiljson "k8s.io/apimachinery/pkg/util/json"
)

const lastAppliedConfiguration = "kubectl.kubernetes.io/last-applied-configuration"

// assigners are the field managers of programs that assign values to other people's objects. The
// small distributions run a whole control plane in one program.
var assigners = map[string]bool{
	"kube-apiserver": true, "kube-controller-manager": true, "kube-scheduler": true, "k3s": true, "kubelite": true,
}

// beforeFirstApply is the field manager that the API server gives to all that stood in an object
// when its managers were not yet recorded: nobody can tell who wrote that.
const beforeFirstApply = "before-first-apply"

// records have the authors of the fields of an object.
type records struct {
	obj map[string]any
	// the fields of each field manager that may be an author, in the words of FieldsV1
	managers    []map[string]any
	untold      bool           // there are fields of which nobody can tell
	lastApplied map[string]any // what kubectl apply was given at last, nil without it
}

func recordsOf(obj map[string]any) *records {
	r := &records{obj: obj}
	managers := list(obj, "metadata", "managedFields")
	r.untold = len(managers) == 0
	for _, value := range managers {
		entry, _ := value.(map[string]any)
		switch name := text(entry, "manager"); {
		case name == beforeFirstApply:
			r.untold = true
		case !assigners[name]:
			r.managers = append(r.managers, nested(entry, "fieldsV1"))
		}
	}
	// What is no JSON says nothing.
	_ = utiljson.Unmarshal([]byte(text(obj, "metadata", "annotations", lastAppliedConfiguration)), &r.lastApplied)
	return r
}

// known reports whether a field that nobody is known to have written was assigned.
func (r *records) known() bool { return !r.untold }

// authored reports whether the field at path was written by an author: it has a field manager who
// does not just assign values, or kubectl apply was given the value that it has. Someone who
// applies what an allocator has chosen before changes nothing and becomes no manager of it, but
// wants it to stay.
func (r *records) authored(path ...string) bool {
	last := len(path) - 1
	words := make([]string, len(path))
	for i, field := range path {
		words[i] = "f:" + field
	}
	return r.managed(words) || same(nested(r.lastApplied, path[:last]...)[path[last]], nested(r.obj, path[:last]...)[path[last]])
}

// authoredPort is authored for the nodePort of an entry of a Service's ports.
func (r *records) authoredPort(port map[string]any) bool {
	if r.managed([]string{"f:spec", "f:ports", fmt.Sprintf(`k:{"port":%v,"protocol":"%v"}`, port["port"], port["protocol"]), "f:nodePort"}) {
		return true
	}
	for _, value := range list(r.lastApplied, "spec", "ports") {
		applied, _ := value.(map[string]any)
		protocol, ok := applied["protocol"]
		if !ok {
			protocol = "TCP" // the default
		}
		if same(applied["port"], port["port"]) && same(protocol, port["protocol"]) && same(applied["nodePort"], port["nodePort"]) {
			return true
		}
	}
	return false
}

// managed reports whether an author is a field manager of the field, whose path is in the words of
// FieldsV1.
func (r *records) managed(path []string) bool {
	last := len(path) - 1
	for _, fields := range r.managers {
		if _, ok := nested(fields, path[:last]...)[path[last]]; ok {
			return true
		}
	}
	return false
}

// same reports whether the object has what kubectl apply was given: every field of it, where it is
// a map. A null is a field that is not there.
func same(applied, live any) bool {
	given, ok := applied.(map[string]any)
	if !ok {
		return reflect.DeepEqual(applied, live)
	}
	has, _ := live.(map[string]any)
	for field, value := range given {
		if !same(value, has[field]) {
			return false
		}
	}
	return len(given) > 0
}
