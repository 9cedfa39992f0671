package gitsink

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	yaml3 "go.yaml.in/yaml/v3"
	"sigs.k8s.io/yaml"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
)

// OwnerFile is the file in the base folder that names the folder's owner on a branch. It is written
// with the first commit and read by each plan, so that two clusters with copied configuration
// cannot delete each other's files for ever. Only a regular file (ModeFile) of this name counts; it
// is a flat mapping of at most 4 KiB.
const OwnerFile = ".kubescribe"

// maxOwnerFile is the size of an OwnerFile, in bytes. Everybody who can push can write one, and
// each plan reads it.
const maxOwnerFile = 4 << 10

// owner is the content of an OwnerFile.
type owner struct {
	Source      string `json:"source"`      // the cluster
	Destination string `json:"destination"` // the GitDestination
	Branch      string `json:"branch"`      // where the folder is owned; elsewhere this is a copy
	Layout      string `json:"layout"`
	// Adopted is false while files of others may be among those that the layout could have written:
	// nothing is swept or pruned then.
	Adopted bool `json:"adopted"`
	// Former are the names of layouts from which files of ours may be left, a line each: they are
	// moved, or removed as orphans, as soon as it is known what becomes of them.
	Former string `json:"former,omitempty"`
}

const ownerNote = "# Written by kubescribe. The source named below owns this folder: it writes and removes files here.\n"

func (o owner) encode() []byte {
	body, err := yaml.Marshal(o)
	if err != nil {
		panic(err) // strings and a bool always encode
	}
	return append([]byte(ownerNote), body...)
}

func (o owner) content() *event.Content { return event.NewContent(o.encode()) }

func (o owner) change() Change { return writing(OwnerFile, o.content()) }

// ownership is what a plan found out about the owner of its folder.
type ownership struct {
	owner  owner
	write  bool // the OwnerFile has to be written, with the first commit that has another reason
	urgent bool // it has to be written even without another reason
}

// checkOwnership compares the folder's OwnerFile with us, who want to write. It returns an error
// that matches ErrOwned if the folder belongs to another owner.
func (w *Writer) checkOwnership(ctx context.Context, base Tree, us owner, adopt bool) (ownership, error) {
	entry, found := base.Entry(OwnerFile)
	switch {
	case found && entry.Mode != ModeFile:
		return ownership{}, fmt.Errorf("%w: %s is not a regular file but has mode %o: remove it", ErrPath, OwnerFile, entry.Mode)
	case !found:
		us.Adopted = adopt || empty(base)
		return ownership{owner: us, write: true, urgent: adopt && !empty(base)}, nil
	case us.as(true).content().Names(entry.Hash):
		return ownership{owner: us.as(true)}, nil
	case !adopt && us.as(false).content().Names(entry.Hash):
		return ownership{owner: us.as(false)}, nil
	}
	return w.readOwnership(ctx, base, us, adopt)
}

// readOwnership reads an OwnerFile that is not, byte for byte, what we would have written.
func (w *Writer) readOwnership(ctx context.Context, base Tree, us owner, adopt bool) (ownership, error) {
	files, err := base.Read(ctx, OwnerFile)
	if err != nil {
		return ownership{}, err
	}
	them, err := decodeOwner(files[OwnerFile])
	former := us.Former
	if err == nil {
		former = us.formerOf(them)
	}
	taken := us.as(true)
	taken.Former = former
	switch {
	case err != nil && adopt:
		return ownership{owner: taken, write: true, urgent: true}, nil
	case err != nil:
		return ownership{}, fmt.Errorf("%w: %s cannot be read (%w); adopt the folder to take it over", ErrOwned, OwnerFile, err)
	case them.isLike(us) && (them.Adopted || !adopt):
		return ownership{owner: them}, nil
	case adopt:
		if _, err := w.formerLayouts(taken); err != nil {
			return ownership{}, err
		}
		return ownership{owner: taken, write: true, urgent: true}, nil
	// We have moved here.
	case them.Source == us.Source && them.Destination == us.Destination && them.Layout == us.Layout:
		return ownership{owner: taken.as(them.Adopted), write: true}, nil
	case them.Branch != us.Branch && them.Branch != "":
		// The branch was made from theirs, or theirs was merged into it. The folder is theirs on
		// their branch only, but here it is not ours either before it is adopted. Its layout counts
		// only then.
		if _, err := w.formerLayouts(taken); err != nil {
			taken.Former = ""
		}
		return ownership{owner: taken.as(false), write: true}, nil
	case them.Source == us.Source && them.Destination == us.Destination:
		return ownership{}, w.refuseLayout(them, us)
	}
	return ownership{}, fmt.Errorf("%w: %s says source %s, destination %s, layout %s; we are source %q, destination %q, layout %q; "+
		"adopt the folder to take it over", ErrOwned, OwnerFile, quoted(them.Source), them.shownTo(us), quoted(them.Layout),
		us.Source, us.Destination, us.Layout)
}

// shownTo returns the destination's name for an error that the owner of another one reads. Tenants
// may share a repository, but none learns names of another namespace.
func (o owner) shownTo(reader owner) string {
	theirs, _, _ := strings.Cut(o.Destination, "/")
	ours, _, _ := strings.Cut(reader.Destination, "/")
	if theirs != ours {
		return "of another namespace"
	}
	return quoted(o.Destination)
}

// decodeOwner reads an OwnerFile, which anybody may have written: a mapping of these names to
// scalars, each once. The YAML is parsed but not resolved, so that no alias in it can become more
// than its bytes.
func decodeOwner(data []byte) (o owner, err error) {
	if len(data) > maxOwnerFile {
		return o, fmt.Errorf("it has %d bytes, more than %d", len(data), maxOwnerFile)
	}
	var doc yaml3.Node
	if err := yaml3.Unmarshal(data, &doc); err != nil {
		return o, errors.New(quoted(err.Error()))
	}
	if len(doc.Content) != 1 || doc.Content[0].Kind != yaml3.MappingNode {
		return o, errors.New("it is no mapping")
	}
	fields := map[string]*string{
		"source": &o.Source, "destination": &o.Destination, "branch": &o.Branch, "layout": &o.Layout, "former": &o.Former, "adopted": new(string),
	}
	pairs := doc.Content[0].Content
	for i := 0; i+1 < len(pairs); i += 2 {
		name, value := pairs[i], pairs[i+1]
		field := fields[name.Value]
		switch {
		case name.Kind != yaml3.ScalarNode || field == nil:
			return o, fmt.Errorf("line %d: the field %s is unknown or stands there twice", name.Line, quoted(name.Value))
		case value.Kind != yaml3.ScalarNode || value.Anchor != "":
			return o, fmt.Errorf("line %d: the value of %s is not a plain one", value.Line, name.Value)
		case name.Value == "adopted":
			if o.Adopted, err = strconv.ParseBool(value.Value); err != nil {
				return o, fmt.Errorf("line %d: adopted is neither true nor false", value.Line)
			}
		default:
			*field = value.Value
		}
		delete(fields, name.Value)
	}
	return o, nil
}

const maxQuoted = 128

// quoted returns what somebody else has written, for an error that goes into a status: cut, and
// without control characters.
func quoted(s string) string {
	if len(s) > maxQuoted {
		return strconv.QuoteToASCII(s[:maxQuoted]) + "..."
	}
	return strconv.Quote(s)
}

func (o owner) as(adopted bool) owner {
	o.Adopted = adopted
	return o
}

func (w *Writer) owner(d destination.Destination, layout event.Layout) owner {
	return owner{Source: w.source, Destination: d.Ref.String(), Branch: d.Branch, Layout: layout.Name()}
}

// isLike reports whether two are the same but for what becomes of the folder.
func (o owner) isLike(other owner) bool {
	o.Adopted, o.Former = other.Adopted, other.Former
	return o == other
}

// ownedFolder returns the OwnerFile of a folder below ours that a path lies in, if there is one.
// That folder has an owner of its own: another destination or cluster, or we ourselves before our
// base folder was moved up. Nothing in it is ours to write or to remove, even if the layout could
// have written it.
func ownedFolder(base Tree, path string) (ownerFile string, owned bool) {
	for i := range len(path) {
		if path[i] != '/' {
			continue
		}
		ownerFile = path[:i+1] + OwnerFile
		if e, owned := base.Entry(ownerFile); owned && e.Mode == ModeFile {
			return ownerFile, true
		}
	}
	return "", false
}

// ownedFolder is the same for the run, which knows all of these folders once it seeds.
func (p *planRun) ownedFolder(path string) (ownerFile string, owned bool) {
	if p.foreign == nil {
		return ownedFolder(p.base, path)
	}
	folder, owned := outermost(path, p.foreign)
	return folder + OwnerFile, owned
}

// outermost returns the folder nearest to the root that a path lies in.
func outermost(path string, folders map[string]bool) (folder string, found bool) {
	if len(folders) == 0 {
		return "", false
	}
	for i := range len(path) {
		if path[i] == '/' && folders[path[:i+1]] {
			return path[:i+1], true
		}
	}
	return "", false
}

func empty(base Tree) bool {
	for range base.Paths("") {
		return false
	}
	return true
}
