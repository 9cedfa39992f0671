package event

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrLayout is matched by the error for a text that is no layout.
var ErrLayout = errors.New("event: not a layout")

// The bounds of a template, in bytes and components.
const (
	maxTemplate   = 200
	maxComponents = 8
	maxText       = 24 // in one component
)

// refusedWords say of words that other tools have, or that come to mind, why they are none here and
// what to write instead.
var refusedWords = map[string]string{
	"kind":               "the kind is no part of an object's identity, and a deletion may come without it; use {resource}, its name in URLs and in RBAC",
	"version":            "a new version of a type would move all of its files; leave it out",
	"apiVersion":         "a new version of a type would move all of its files; use {group}",
	"groupPath":          "use {group}, which is _core for the core group, or {resource.group}, which is services or deployments.apps",
	"type":               "use {resource.group}, which is services or deployments.apps",
	"scope":              "use {namespace}, which is _cluster for an object without one",
	"namespaceOrCluster": "use {namespace}, which is _cluster for an object without one",
	"sensitiveSuffix":    "write .yaml; a file has the same name whether it is encrypted or not",
}

var words = []word{wordNamespace, wordName, wordGroup, wordResource, wordType}

// parseTemplate compiles a template, or says what is wrong with it.
func parseTemplate(text string) (*template, error) {
	t := &template{name: templateName + text}
	if err := t.parse(text); err != nil {
		return nil, fmt.Errorf("%w: template %.*q: %w", ErrLayout, maxTemplate, text, err)
	}
	return t, nil
}

func (t *template) parse(text string) error {
	if len(text) > maxTemplate {
		return fmt.Errorf("it has %d bytes, more than %d", len(text), maxTemplate)
	}
	seen, err := t.compile(text)
	if err != nil {
		return err
	}
	return errors.Join(t.checkFile(), checkWords(seen))
}

// compile reads the components of a template, and returns its words.
func (t *template) compile(text string) (seen []word, err error) {
	for written := range strings.SplitSeq(text, "/") {
		c, err := parseComponent(written, &seen)
		if err != nil {
			return nil, err
		}
		if t.components = append(t.components, c); len(t.components) > maxComponents {
			return nil, fmt.Errorf("it has more than %d folders", maxComponents-1)
		}
	}
	return seen, nil
}

// checkWords refuses words by which two objects could have one path.
func checkWords(seen []word) error {
	has := func(w word) bool { return slices.Contains(seen, w) }
	switch {
	case !has(wordName):
		return errors.New("it lacks {name}: the objects of a type would share a file")
	case !has(wordNamespace):
		return errors.New("it lacks {namespace}: objects of one name in two namespaces would share a file; flat/NAMESPACE is a layout for one namespace")
	case has(wordType) && (has(wordResource) || has(wordGroup)):
		return errors.New("it has {resource.group}, and beside it {resource} or {group}, which say the same")
	case has(wordType):
		return nil
	case !has(wordResource):
		return errors.New("it lacks the type: use {resource.group}, or {group} and {resource}")
	case !has(wordGroup):
		return errors.New("{resource} alone is no type: two groups may have one resource, as ingresses; use {resource.group}, or {group} too")
	}
	return nil
}

// checkFile looks at the name of the files.
func (t *template) checkFile() error {
	last := t.components[len(t.components)-1].parts
	if end := last[len(last)-1].text; !strings.HasSuffix(end, ".yaml") && !strings.HasSuffix(end, ".yml") {
		return errors.New("it has to end with .yaml or .yml: tools that apply a folder read no other files")
	}
	return nil
}

// parseComponent compiles what stands between two slashes, and adds its words to those seen.
func parseComponent(written string, seen *[]word) (c component, err error) {
	texts := 0
	for rest := written; rest != ""; {
		var p part
		if p, rest, err = parsePart(rest); err != nil {
			return c, err
		}
		if p.word != "" {
			if slices.Contains(*seen, p.word) {
				return c, fmt.Errorf("it has {%s} twice", p.word)
			}
			*seen = append(*seen, p.word)
			c.named = c.named || p.word == wordName
		}
		texts += len(p.text)
		c.parts = append(c.parts, p)
	}
	switch {
	case len(c.parts) == 0:
		return c, errors.New(`a folder in it has no name: write it without "//", and without "/" at its beginning and end`)
	case texts > maxText:
		return c, fmt.Errorf("the text in %q has %d bytes, more than %d", written, texts, maxText)
	}
	c.share()
	return c, c.checkTexts(written)
}

// parsePart takes the next word or text.
func parsePart(rest string) (p part, after string, err error) {
	if rest[0] != '{' {
		end := strings.IndexByte(rest, '{')
		if end < 0 {
			end = len(rest)
		}
		p.text = rest[:end]
		for i := range len(p.text) {
			if c := p.text[i]; isEscaped(rune(c)) && !strings.ContainsRune(separators, rune(c)) {
				return p, "", fmt.Errorf("text in it may have a-z, 0-9 and -._+=@, but not %q", p.text[i:i+1])
			}
		}
		return p, rest[end:], nil
	}
	name, after, closed := strings.Cut(rest[1:], "}")
	if !closed {
		return p, "", fmt.Errorf("%q has no closing brace", rest)
	}
	p.word = word(name)
	if slices.Contains(words, p.word) {
		return p, after, nil
	}
	why, known := refusedWords[name]
	switch {
	case strings.HasPrefix(name, "label:"):
		why = "labels change, and with them the file would move"
	case !known:
		why = "the words are {namespace}, {resource.group}, {group}, {resource} and {name}"
	}
	return p, "", fmt.Errorf("{%s} is no word of a layout: %s", name, why)
}

// checkTexts refuses text that could be taken for a part of a word beside it, or that together with
// one makes a name that means something to Git, a tool or Windows.
func (c *component) checkTexts(written string) error {
	if len(c.parts) == 1 && c.parts[0].word == "" {
		stem := strings.TrimSuffix(strings.TrimSuffix(written, ".yaml"), ".yml")
		if isReserved(stem) || isReserved(written) {
			return fmt.Errorf("%q means something to other tools or to Windows", written)
		}
	}
	if written[0] == '.' || written[len(written)-1] == '.' {
		return fmt.Errorf("%q begins or ends with a dot", written)
	}
	for i, p := range c.parts {
		switch {
		case p.word == "":
		case i > 0 && c.parts[i-1].word != "":
			return fmt.Errorf("{%s}{%s} stand together, and nobody could tell them apart: set them apart with one of %s", c.parts[i-1].word, p.word, separators)
		case i > 0 && !strings.ContainsAny(lastByte(c.parts[i-1].text), "-"+separators):
			return fmt.Errorf("the text before {%s} in %q has to end with one of -%s", p.word, written, separators)
		}
		if p.word == "" || i == len(c.parts)-1 {
			continue
		}
		next, between := c.parts[i+1].text, i < len(c.parts)-2
		switch {
		case next == "": // two words, which the next one refuses
		case between && !strings.ContainsAny(next[:1], separators):
			return fmt.Errorf("{%s} in %q has to be followed by one of %s: both it and what comes then may have any other character", p.word, written, separators)
		case !strings.ContainsAny(next[:1], ".-"+separators):
			return fmt.Errorf("the text behind {%s} in %q has to begin with one of .-%s", p.word, written, separators)
		}
	}
	return nil
}

func lastByte(s string) string { return s[len(s)-1:] }
