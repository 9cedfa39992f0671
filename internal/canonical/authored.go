package canonical

import (
	"fmt"
	"strconv"
	"strings"
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
	d *Document
	// the fields of each field manager that may be an author, in the words of FieldsV1
	managers []Node
	untold   bool // there are fields of which nobody can tell
	// what kubectl apply was given at last, without a root if it was nothing
	applied *Document
}

func (d *Document) records() records {
	if d.applied == nil {
		d.applied = &Document{}
	}
	r := records{d: d, managers: d.managers[:0], applied: d.applied}
	managers := d.Get(root, "metadata", "managedFields")
	r.untold = d.Kind(managers) != List || d.Empty(managers)
	if d.Kind(managers) == List {
		for _, entry := range d.Each(managers) {
			switch name := d.Text(d.Get(entry, "manager")); {
			case name == beforeFirstApply:
				r.untold = true
			case !assigners[name]:
				r.managers = append(r.managers, d.Get(entry, "fieldsV1"))
			}
		}
	}
	d.managers = r.managers
	// What is no JSON says nothing.
	d.appliedText = append(d.appliedText[:0], d.Text(d.Get(root, "metadata", "annotations", lastAppliedConfiguration))...)
	if _, err := r.applied.parse(d.appliedText); err != nil {
		r.applied.Reset()
	}
	return r
}

// known reports whether a field that nobody is known to have written was assigned.
func (r *records) known() bool { return !r.untold }

// authored is that of the records, for who asks once.
func (d *Document) authored(field string) bool {
	r := d.records()
	return r.authored(field)
}

// authored reports whether a field of the object's spec was written by an author: it has a field
// manager who does not just assign values, or kubectl apply was given the value that it has.
// Someone who applies what an allocator has chosen before changes nothing and becomes no manager of
// it, but wants it to stay.
func (r *records) authored(field string) bool {
	for _, fields := range r.managers {
		for name := range r.d.Each(r.d.Get(fields, "f:spec")) {
			if name, ok := strings.CutPrefix(name, "f:"); ok && name == field {
				return true
			}
		}
	}
	return r.same(r.applied.Get(r.applied.Root(), "spec", field), r.d.Get(root, "spec", field))
}

// authoredPort is authored for the nodePort of an entry of a Service's ports.
func (r *records) authoredPort(port Node) bool {
	d := r.d
	number, protocol := d.Get(port, "port"), d.Get(port, "protocol")
	start := len(d.scratch)
	d.scratch = append(d.scratch, `k:{"port":`...)
	d.scratch = d.appendPlain(d.scratch, number)
	d.scratch = append(d.scratch, `,"protocol":"`...)
	d.scratch = d.appendPlain(d.scratch, protocol)
	d.scratch = append(d.scratch, `"}`...)
	key := view(d.scratch[start:])
	for _, fields := range r.managers {
		if d.Get(fields, "f:spec", "f:ports", key, "f:nodePort") != 0 {
			return true
		}
	}
	list := r.applied.Get(r.applied.Root(), "spec", "ports")
	if r.applied.Kind(list) != List {
		return false
	}
	for _, applied := range r.applied.Each(list) {
		has := r.applied.Get(applied, "protocol")
		sameProtocol := r.same(has, protocol)
		if has == 0 {
			sameProtocol = d.Text(protocol) == "TCP" // the default
		}
		if sameProtocol && r.same(r.applied.Get(applied, "port"), number) &&
			r.same(r.applied.Get(applied, "nodePort"), d.Get(port, "nodePort")) {
			return true
		}
	}
	return false
}

// appendPlain appends a value of a key in FieldsV1.
func (d *Document) appendPlain(b []byte, n Node) []byte {
	switch d.Kind(n) {
	case String:
		return append(b, d.nodes[n].text...)
	case Number:
		if whole, _, isWhole := number(d.nodes[n].text); isWhole {
			return strconv.AppendInt(b, whole, 10)
		}
	}
	return fmt.Append(b, d.Value(n))
}

// same reports whether the object has what kubectl apply was given: every field of it, where it is
// a map. A null is a field that is not there.
func (r *records) same(applied, live Node) bool {
	if r.applied.Kind(applied) != Map {
		return r.equal(applied, live)
	}
	for field, value := range r.applied.Each(applied) {
		if !r.same(value, r.d.member(live, field)) {
			return false
		}
	}
	return !r.applied.Empty(applied)
}

// equal reports whether a value of what was applied, and of the object, are one.
func (r *records) equal(applied, live Node) bool {
	if r.applied.isNull(applied) {
		return r.d.isNull(live)
	}
	kind := r.applied.Kind(applied)
	if kind != r.d.Kind(live) {
		return false
	}
	switch kind {
	case String:
		return r.applied.Text(applied) == r.d.Text(live)
	case Number:
		return sameNumber(r.applied.nodes[applied].text, r.d.nodes[live].text)
	case Map, List:
		a, b := r.applied.first(applied), r.d.first(live)
		for ; a != 0 && b != 0; a, b = r.applied.after(a), r.d.after(b) {
			if r.applied.Key(a) != r.d.Key(b) || !r.identical(a, b) {
				return false
			}
		}
		return a == b // both are none
	}
	return true
}

// identical is equal for what stands in a list or below it, where a null is not what is not there.
func (r *records) identical(a, b Node) bool {
	return r.applied.Kind(a) == r.d.Kind(b) && r.equal(a, b)
}

// sameNumber compares numbers as client-go has them: an int64 is no float64.
func sameNumber(a, b string) bool {
	whole, float, isWhole := number(a)
	otherWhole, otherFloat, otherIsWhole := number(b)
	return isWhole == otherIsWhole && whole == otherWhole && float == otherFloat
}
