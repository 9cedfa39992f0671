package manifest

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/orphan"
	"github.com/kubescribe/kubescribe/ruleset"
)

// Config is the content of a folder of manifests, in the order of files and documents. It is never
// changed after Load, and may be read concurrently.
type Config struct {
	Repositories []destination.Repository
	Destinations []destination.Spec
	Rules        []ruleset.Rule

	// Orphans has the GitDestinations with an orphans field.
	Orphans map[destination.Ref]orphan.Options
	// Layouts has the GitDestinations with a layout field.
	Layouts map[destination.Ref]event.Layout
	// Kustomizations has the GitDestinations whose kustomization field is true.
	Kustomizations map[destination.Ref]bool
	// Encryption has the GitDestinations with an encryption field.
	Encryption map[destination.Ref]Encryption
	// Push has the GitRepoConfigs with a push field.
	Push map[destination.Ref]Push
	// Credentials names the Secret of each GitRepoConfig with a secretRef. If Secrets has no such
	// Secret, it is to be read from the cluster.
	Credentials map[destination.Ref]types.NamespacedName
	// Secrets has the Secrets of the folder.
	Secrets map[types.NamespacedName]Secret

	objects map[id]*object
}

// Encryption says for whom what is sensitive in a GitDestination is encrypted.
type Encryption struct {
	// Secret has the identities of age that open the files, in the namespace of the destination.
	// It is among the Secrets of the folder, or to be read from the cluster.
	Secret types.NamespacedName
	// Recipients are those beside the identities' own. Whoever uses them checks them.
	Recipients []string
}

// Push is the cadence of a GitRepoConfig. A field that is 0 was not given.
type Push struct {
	Interval   time.Duration // the least time between two pushes
	MaxCommits int           // in one push
}

// Secret is the data of a Secret: its stringData merged over its decoded data. No verb of package
// fmt prints it.
type Secret map[string][]byte

// Format implements fmt.Formatter: whatever the verb, it writes "(secret)".
func (s Secret) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte("(secret)")) }

// MarshalJSON keeps structured loggers from printing the data.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"(secret)"`), nil }

// Load reads the manifests of a folder. The error joins an *Error for each fault of each file, in
// the order of files and lines; the Config is nil then.
//
// A folder without manifests is an error. So are a file that is not a regular one or is larger than
// 1 MiB, and a folder of more than 10,000 files and folders.
func Load(fsys fs.FS) (*Config, error) {
	files, err := list(fsys)
	if err != nil {
		return nil, fmt.Errorf("manifest: %w", err)
	}
	if len(files) == 0 {
		return nil, errors.New("manifest: the folder has no file that ends with .yaml, .yml or .json")
	}
	l := loader{Config: Config{
		Orphans:        make(map[destination.Ref]orphan.Options),
		Layouts:        make(map[destination.Ref]event.Layout),
		Kustomizations: make(map[destination.Ref]bool),
		Encryption:     make(map[destination.Ref]Encryption),
		Push:           make(map[destination.Ref]Push),
		Credentials:    make(map[destination.Ref]types.NamespacedName),
		Secrets:        make(map[types.NamespacedName]Secret),
		objects:        make(map[id]*object),
	}}
	for _, file := range files {
		l.file(fsys, file)
	}
	if err := l.err(); err != nil {
		return nil, err
	}
	return &l.Config, nil
}
