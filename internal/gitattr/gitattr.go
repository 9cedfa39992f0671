// Package gitattr finds out which attribute of gitattributes(5) a path has, from the files of a
// repository. It reads them as git does: the judge in its tests is git check-attr.
package gitattr

import (
	"path"
	"strings"
)

// FileName is the name of the files that give attributes to the paths in their folder and below.
const FileName = ".gitattributes"

const (
	maxLine   = 2048 // git reads no longer line
	blanks    = " \t\r\n"
	macroMark = "[attr]"
)

// File is a parsed .gitattributes.
type File struct {
	dir   string // the slash path of its folder, "" for the root
	rules []rule
}

// rule is one line: what it gives to the paths that match, or what a macro stands for.
type rule struct {
	macro   string // its name; "" for a line with a pattern
	text    string // the pattern as it is written
	anchor  bool   // the pattern is about the path below the folder, not about the last name in it
	literal string // what the pattern begins with, up to its first wildcard
	rest    []token
	gives   []assignment
}

// assignment is one attribute of a line.
type assignment struct {
	name, value string
	state       state
}

type state int

const (
	set      state = iota + 1 // "name"
	unset                     // "-name"
	unspoken                  // "!name": as if no line had said anything
	valued                    // "name=value"
)

// Parse reads the .gitattributes in the folder dir, a slash path from the root of the repository,
// "" for the root itself. Lines that git ignores are ignored.
func Parse(dir string, data []byte) File {
	f := File{dir: dir}
	text, _, _ := strings.Cut(strings.TrimPrefix(string(data), "\ufeff"), "\x00")
	for line := range strings.SplitSeq(text, "\n") {
		if r, ok := parseLine(line, dir == ""); ok {
			f.rules = append(f.rules, r)
		}
	}
	return f
}

func parseLine(line string, macros bool) (rule, bool) {
	line = strings.TrimLeft(line, blanks)
	if len(line) >= maxLine || line == "" || line[0] == '#' {
		return rule{}, false
	}
	pattern, attributes, quoted := unquote(line)
	if !quoted {
		pattern, attributes = cutWord(line)
	}
	var r rule
	if name, ok := strings.CutPrefix(pattern, macroMark); ok && name != "" {
		r.macro, _ = cutWord(strings.TrimLeft(name, blanks))
		if !macros || !isName(r.macro) {
			return rule{}, false
		}
	} else if !r.setPattern(pattern) {
		return rule{}, false
	}
	var ok bool
	r.gives, ok = parseAttributes(attributes)
	return r, ok
}

// setPattern takes a pattern; false if it never matches a file: git wants no "!", and a slash at
// the end means a folder.
func (r *rule) setPattern(pattern string) bool {
	if strings.HasPrefix(pattern, "!") || strings.HasSuffix(pattern, "/") {
		return false
	}
	r.text = pattern
	r.anchor = strings.Contains(pattern, "/")
	pattern = strings.TrimPrefix(pattern, "/")
	// Git compares what is before the first wildcard on its own, and so "a**" is "a" and then a
	// "**" which crosses folders.
	n := strings.IndexAny(pattern, `*?[\`)
	if n < 0 {
		n = len(pattern)
	}
	r.literal, r.rest = pattern[:n], compile(pattern[n:])
	return true
}

func parseAttributes(text string) (all []assignment, ok bool) {
	for text = strings.TrimLeft(text, blanks); text != ""; text = strings.TrimLeft(text, blanks) {
		var word string
		word, text = cutWord(text)
		name, value, hasValue := strings.Cut(word, "=")
		a := assignment{name: name, state: set}
		switch {
		case strings.HasPrefix(name, "-"):
			a.name, a.state = name[1:], unset
		case strings.HasPrefix(name, "!"):
			a.name, a.state = name[1:], unspoken
		case hasValue:
			a.value, a.state = value, valued
		}
		if !isName(a.name) {
			return nil, false
		}
		all = append(all, a)
	}
	return all, true
}

func isName(name string) bool {
	return name != "" && name[0] != '-' && !strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("-_.", r)
	})
}

func cutWord(text string) (word, rest string) {
	if i := strings.IndexAny(text, blanks); i >= 0 {
		return text[:i], text[i:]
	}
	return text, ""
}

// matches reports whether the line is about a file at a path from the root.
func (r *rule) matches(dir, file string) bool {
	name := path.Base(file)
	if r.anchor {
		name = file
		if dir != "" {
			name = strings.TrimPrefix(file, dir+"/")
		}
	}
	rest, ok := strings.CutPrefix(name, r.literal)
	return ok && match(r.rest, rest)
}

// Value is what an attribute of a path is, and which line says so.
type Value struct {
	// The .gitattributes from the root of the repository, and the pattern of its line.
	File, Pattern string
	Value         string
}

// Set is the .gitattributes files of one branch, folders above before those below.
type Set []File

// Mentions reports whether any line names the attribute: without one no path has a value.
func (s Set) Mentions(attribute string) bool {
	for _, f := range s {
		for _, r := range f.rules {
			for _, a := range r.gives {
				if a.name == attribute {
					return true
				}
			}
		}
	}
	return false
}

// Lookup returns the value of an attribute of a file, by its slash path from the root; false if it
// has none: nothing was said of it, or that it is set or unset.
func (s Set) Lookup(file, attribute string) (Value, bool) {
	l := lookup{set: s, wanted: attribute, said: map[string]struct{}{}}
	for i := len(s) - 1; i >= 0; i-- {
		f := &s[i]
		if f.dir != "" && !strings.HasPrefix(file, f.dir+"/") {
			continue
		}
		for j := len(f.rules) - 1; j >= 0; j-- {
			r := &f.rules[j]
			if r.macro != "" || !r.matches(f.dir, file) {
				continue
			}
			if a, done := l.take(r); done {
				return Value{File: path.Join(f.dir, FileName), Pattern: r.text, Value: a.value}, a.state == valued
			}
		}
	}
	return Value{}, false
}

// lookup goes from the line that counts most to the one that counts least: what was said of an
// attribute first stays.
type lookup struct {
	set    Set
	wanted string
	said   map[string]struct{}
}

func (l *lookup) take(r *rule) (assignment, bool) {
	for i := len(r.gives) - 1; i >= 0; i-- {
		a := r.gives[i]
		if _, ok := l.said[a.name]; ok {
			continue
		}
		l.said[a.name] = struct{}{}
		if a.name == l.wanted {
			return a, true
		}
		if a.state != set {
			continue
		}
		if macro := l.set.macro(a.name); macro != nil {
			if a, done := l.take(macro); done {
				return a, true
			}
		}
	}
	return assignment{}, false
}

// macro returns the last definition of a macro. Only the file in the root has any.
func (s Set) macro(name string) *rule {
	for i := range s {
		for j := len(s[i].rules) - 1; j >= 0; j-- {
			if s[i].rules[j].macro == name {
				return &s[i].rules[j]
			}
		}
	}
	return nil
}
