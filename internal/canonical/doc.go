// Package canonical reads one Kubernetes object, removes from it what the server owns, and writes
// the rest as canonical YAML, without a map or a tree in between.
//
//	var d canonical.Document
//	err := d.Parse(json)           // or d.Load(object.Object)
//	d.Sanitize()
//	text, err = d.AppendYAML(text) // what event.ContentOf returns
//
// A Document holds the values of an object in one flat list, each with the number of the next one
// beside it. It is used for one object after the other, and asks for no memory once it has held one
// of their size. Get, Each and Text look into it, Remove and RemoveField take something out of it.
//
// # What it reads
//
// Parse reads what client-go's dynamic client reads, and gives each value the meaning that it has
// there; Object and Value return it as client-go would. Load takes what client-go has read.
//
// # What it writes
//
// The YAML is that of event.Encode, and what Sanitize removes is what event.Sanitize promises: this
// is the one implementation of both. Package canonicaltest has another, through maps and
// go.yaml.in/yaml/v3, and tests compare them.
//
// # Bounds
//
// Nothing is nested deeper than 10,000 maps and lists, and no YAML is larger than 64 MiB. No bytes
// make it panic, and no error quotes one.
package canonical
