package event

import "strings"

// word is a part of an object's identity in a template.
type word string

const (
	wordNamespace word = "namespace"
	wordName      word = "name"
	wordGroup     word = "group"
	wordResource  word = "resource"
	wordType      word = "resource.group"
)

const (
	coreGroup = "_core"
	// separators has the characters that set two words in one component apart: no escaped word has
	// one.
	separators = "_+=@,"
	// maxShared is the length of all words of a component that has several, in bytes. Of that at
	// least minName is left to a name.
	maxShared = 231
	minName   = 40
)

// shares are the bytes that each word has in a component that has several: enough for a namespace,
// and for a group and a resource of 63 bytes each. What is left goes to the type or the group.
var shares = map[word]int{wordNamespace: 64, wordGroup: 64, wordResource: 63, wordType: 127}

// template is a Layout that is written as a path with words in it. Text between words stands in
// each path as it is; parseTemplate makes sure that it can be told from the words.
type template struct {
	name       string
	components []component
}

// component is a part of a path between two slashes.
type component struct {
	parts []part
	named bool
	// nameMost is the bytes of the name together with the words beside it.
	nameMost int
}

// part is a word or text.
type part struct {
	word word // "": text
	text string
	most int // the bytes of a word; not of a name
}

// Name implements Layout.
func (t *template) Name() string { return t.name }

// Path implements Layout.
func (t *template) Path(r Resource) string {
	var b strings.Builder
	for i, c := range t.components {
		if i > 0 {
			b.WriteByte('/')
		}
		c.write(&b, r.ID)
	}
	return b.String()
}

// write adds the component of an object to a path.
func (c *component) write(b *strings.Builder, id ID) {
	nameMost := c.nameMost
	for _, p := range c.parts {
		if c.named && p.word != "" && p.word != wordName {
			nameMost -= len(shorten(p.word.of(id), p.most))
		}
	}
	for _, p := range c.parts {
		switch p.word {
		case "":
			b.WriteString(p.text)
		case wordName:
			b.WriteString(shorten(escape(id.Name), nameMost))
		default:
			b.WriteString(shorten(p.word.of(id), p.most))
		}
	}
}

// share sets how long each word may be.
func (c *component) share() {
	count, left := 0, maxShared
	for _, p := range c.parts {
		if p.word != "" {
			count++
			left -= shares[p.word]
		}
	}
	if c.nameMost = maxShared; count <= 1 {
		c.nameMost = maxComponent
	}
	if c.named {
		left -= minName
	}
	for i := range c.parts {
		switch p := &c.parts[i]; {
		case count == 1:
			p.most = maxComponent
		case p.word == wordType, p.word == wordGroup:
			p.most = shares[p.word] + left
		default:
			p.most = shares[p.word]
		}
	}
}

// of returns a word of an object, escaped.
func (w word) of(id ID) string {
	switch w {
	case wordNamespace:
		if id.Namespace == "" {
			return clusterFolder
		}
		return escape(id.Namespace)
	case wordGroup:
		if id.Group == "" {
			return coreGroup
		}
		return escape(id.Group)
	case wordResource:
		return escape(id.Resource)
	case wordType:
		return typeComponent(id.Resource, id.Group)
	default:
		return escape(id.Name)
	}
}

// Collection implements Layout.
func (t *template) Collection(path string) (found Collection, ok bool) {
	rest := path
	for i, c := range t.components {
		var here string
		var more bool
		here, rest, more = strings.Cut(rest, "/")
		if more != (i < len(t.components)-1) || !c.read(here, &found) {
			return Collection{}, false
		}
	}
	return found, true
}

// read adds what a component of a path says to found. It reports whether write could have written
// it, and what it says is whole.
func (c *component) read(here string, found *Collection) bool {
	name, nameMost := "", c.nameMost
	for i, p := range c.parts {
		if p.word == "" {
			var ok bool
			if here, ok = strings.CutPrefix(here, p.text); !ok {
				return false
			}
			continue
		}
		end := c.end(i, here)
		if end < 0 {
			return false
		}
		var escaped string
		escaped, here = here[:end], here[end:]
		if p.word == wordName {
			name = escaped
			continue
		}
		if nameMost -= len(escaped); !p.word.read(escaped, p.most, found) {
			return false
		}
	}
	return here == "" && (!c.named || isName(name, nameMost))
}

// end returns the length of a word at the beginning of here, which is the part i; -1 if it cannot
// be there.
func (c *component) end(i int, here string) int {
	last := i == len(c.parts)-1
	if last {
		return len(here)
	}
	if i == len(c.parts)-2 { // only text follows
		return len(here) - len(c.parts[i+1].text)
	}
	special := 0
	for _, s := range []string{clusterFolder, coreGroup, "_"} {
		if strings.HasPrefix(here, s) {
			special = len(s)
			break
		}
	}
	if length := strings.IndexAny(here[special:], separators); length >= 0 {
		return special + length
	}
	return -1
}

// read takes a word that says something of a collection.
func (w word) read(escaped string, most int, found *Collection) (ok bool) {
	switch {
	case w == wordNamespace && escaped == clusterFolder, w == wordGroup && escaped == coreGroup:
		return true
	case w == wordNamespace:
		found.Namespace, ok = unescape(escaped, most)
		ok = ok && found.Namespace != ""
	case w == wordGroup:
		found.Group, ok = unescape(escaped, most)
		ok = ok && found.Group != ""
	case w == wordResource:
		found.Resource, ok = unescape(escaped, most)
	case w == wordType:
		found.Resource, found.Group, ok = splitType(escaped, most)
	}
	return ok
}
