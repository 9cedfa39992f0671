// Sops is what the tests of gitsink/sops ask about SOPS: it is linked with SOPS' own packages, in
// the version that go.mod requires, and answers many questions in one process. `make sops` builds
// it beside the sops command.
//
// It reads one request a line from standard input and writes one answer a line to standard output,
// both in JSON. The identities are in SOPS_AGE_KEY, as for sops itself.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	sops "github.com/getsops/sops/v3"
	"github.com/getsops/sops/v3/aes"
	"github.com/getsops/sops/v3/age"
	"github.com/getsops/sops/v3/cmd/sops/common"
	"github.com/getsops/sops/v3/config"
	"github.com/getsops/sops/v3/decrypt"
	"github.com/getsops/sops/v3/keyservice"
	"github.com/getsops/sops/v3/stores/yaml"
	"github.com/getsops/sops/v3/version"
)

// request is one question.
type request struct {
	Op   string `json:"op"`   // decrypt, encrypt or rule
	File []byte `json:"file"` // the file, in YAML; for rule a .sops.yaml
	Path string `json:"path"` // for rule: of a file, from the folder of the .sops.yaml

	// For encrypt.
	Recipients       string `json:"recipients"` // separated by commas
	EncryptedRegex   string `json:"encryptedRegex"`
	EncryptedSuffix  string `json:"encryptedSuffix"`
	MACOnlyEncrypted bool   `json:"macOnlyEncrypted"`
}

// answer is what SOPS has to say.
type answer struct {
	Error string `json:"error,omitempty"`
	File  []byte `json:"file,omitempty"` // of decrypt and encrypt

	// Of rule.
	Recipients       []string `json:"recipients,omitempty"`
	EncryptedRegex   string   `json:"encryptedRegex,omitempty"`
	EncryptedSuffix  string   `json:"encryptedSuffix,omitempty"`
	MACOnlyEncrypted bool     `json:"macOnlyEncrypted,omitempty"`
}

func main() {
	if err := serve(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "testenv/sops:", err)
		os.Exit(1)
	}
}

func serve(in io.Reader, out io.Writer) error {
	requests, answers := json.NewDecoder(bufio.NewReader(in)), json.NewEncoder(out)
	for {
		var r request
		if err := requests.Decode(&r); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		a, err := r.answer()
		if err != nil {
			a = answer{Error: err.Error()}
		}
		if err := answers.Encode(a); err != nil {
			return err
		}
	}
}

func (r request) answer() (a answer, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("SOPS panics: %v", p)
		}
	}()
	switch r.Op {
	case "decrypt":
		a.File, err = decrypt.Data(r.File, "yaml")
	case "encrypt":
		a.File, err = r.encrypt()
	case "rule":
		return r.rule()
	default:
		err = fmt.Errorf("there is no op %q", r.Op)
	}
	return a, err
}

// encrypt does what the command does.
func (r request) encrypt() ([]byte, error) {
	store := yaml.NewStore(&config.YAMLStoreConfig{})
	branches, err := store.LoadPlainFile(r.File)
	if err != nil {
		return nil, err
	}
	keys, err := age.MasterKeysFromRecipients(r.Recipients)
	if err != nil {
		return nil, err
	}
	var group sops.KeyGroup
	for _, key := range keys {
		group = append(group, key)
	}
	tree := sops.Tree{Branches: branches, Metadata: sops.Metadata{
		KeyGroups: []sops.KeyGroup{group}, EncryptedRegex: r.EncryptedRegex, EncryptedSuffix: r.EncryptedSuffix,
		MACOnlyEncrypted: r.MACOnlyEncrypted, Version: version.Version,
	}}
	key, errs := tree.GenerateDataKeyWithKeyServices([]keyservice.KeyServiceClient{keyservice.NewLocalClient()})
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	if err := common.EncryptTree(common.EncryptTreeOpts{Tree: &tree, Cipher: aes.NewCipher(), DataKey: key}); err != nil {
		return nil, err
	}
	return store.EmitEncryptedFile(tree)
}

// rule returns what a .sops.yaml says of a file.
func (r request) rule() (answer, error) {
	dir, err := os.MkdirTemp("", "testenv-sops-")
	if err != nil {
		return answer{}, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, ".sops.yaml")
	if err := os.WriteFile(path, r.File, 0o600); err != nil {
		return answer{}, err
	}
	c, err := config.LoadCreationRuleForFile(path, filepath.Join(dir, r.Path), nil)
	if err != nil {
		return answer{}, err
	}
	if c == nil {
		return answer{}, errors.New("there are no creation rules")
	}
	a := answer{EncryptedRegex: c.EncryptedRegex, EncryptedSuffix: c.EncryptedSuffix, MACOnlyEncrypted: c.MACOnlyEncrypted}
	for _, group := range c.KeyGroups {
		for _, key := range group {
			if !strings.HasPrefix(key.ToString(), "age1") {
				return answer{}, fmt.Errorf("a key of the kind %s", key.TypeToIdentifier())
			}
			a.Recipients = append(a.Recipients, key.ToString())
		}
	}
	return a, nil
}
