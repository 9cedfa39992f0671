package sops_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink/sops"
)

// judgeVariable names the folder that `make sops` has made.
const judgeVariable = "KUBESCRIBE_SOPS"

// judgeFolder is where sops and the judge are. Where no test may be skipped, they are built.
var judgeFolder = sync.OnceValues(func() (string, error) {
	folder := os.Getenv(judgeVariable)
	if folder != "" || os.Getenv("CI") == "" {
		return folder, nil
	}
	out, err := exec.Command("make", "-s", "-C", "../..", "sops").Output()
	return strings.TrimSpace(string(out)), err
})

func programs(t testing.TB) string {
	t.Helper()
	folder, err := judgeFolder()
	require.NoError(t, err)
	if folder == "" {
		t.Skipf("needs SOPS itself and %s is unset: run `make sops-test`", judgeVariable)
	}
	return folder
}

// judge is SOPS, in a process that answers many questions. It may be used concurrently.
type judge struct {
	mu  sync.Mutex
	in  *json.Encoder
	out *json.Decoder
}

// question and ruling are the request and the answer of internal/testenv/sops.
type question struct {
	Op               string `json:"op"`
	File             []byte `json:"file"`
	Path             string `json:"path"`
	Recipients       string `json:"recipients"`
	EncryptedRegex   string `json:"encryptedRegex"`
	EncryptedSuffix  string `json:"encryptedSuffix"`
	MACOnlyEncrypted bool   `json:"macOnlyEncrypted"`
}

type ruling struct {
	Error            string   `json:"error"`
	File             []byte   `json:"file"`
	Recipients       []string `json:"recipients"`
	EncryptedRegex   string   `json:"encryptedRegex"`
	EncryptedSuffix  string   `json:"encryptedSuffix"`
	MACOnlyEncrypted bool     `json:"macOnlyEncrypted"`
}

// newJudge starts SOPS with these secret keys.
func newJudge(t testing.TB, identities ...string) *judge {
	t.Helper()
	cmd := exec.Command(filepath.Join(programs(t), "judge"))
	cmd.Env = sopsEnv(t, identities)
	in, err := cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = in.Close()
		require.NoError(t, cmd.Wait())
	})
	return &judge{in: json.NewEncoder(in), out: json.NewDecoder(out)}
}

// sopsEnv has no key beside these: no file of the user's.
func sopsEnv(t testing.TB, identities []string) []string {
	return []string{"SOPS_AGE_KEY=" + strings.Join(identities, "\n"), "HOME=" + t.TempDir(), "TMPDIR=" + t.TempDir(), "PATH=" + os.Getenv("PATH")}
}

func (j *judge) ask(t testing.TB, q question) (ruling, error) {
	t.Helper()
	j.mu.Lock()
	defer j.mu.Unlock()
	var r ruling
	require.NoError(t, j.in.Encode(q))
	require.NoError(t, j.out.Decode(&r))
	if r.Error != "" {
		return r, errors.New(r.Error)
	}
	return r, nil
}

func (j *judge) decrypt(t testing.TB, file []byte) ([]byte, error) {
	t.Helper()
	r, err := j.ask(t, question{Op: "decrypt", File: file})
	return r.File, err
}

// command runs the sops command on a file, which it may change, and returns what it prints. An
// editor is a shell command that changes the file it is given.
func command(t testing.TB, file []byte, identity sops.Identity, editor string, args ...string) (changed, printed []byte, err error) {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "secret.yaml")
	require.NoError(t, os.WriteFile(path, file, 0o600))
	cmd := exec.Command(filepath.Join(programs(t), "sops"), append(args, path)...)
	cmd.Env = append(sopsEnv(t, []string{secretOf(identity)}), "SOPS_EDITOR=sh "+filepath.Join(dir, "editor"), "SOPS_DISABLE_VERSION_CHECK=1")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "editor"), []byte(editor), 0o600))
	var out, faults bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &faults
	if err = cmd.Run(); err != nil {
		err = errors.New(err.Error() + ": " + faults.String())
	}
	changed, readErr := os.ReadFile(path)
	require.NoError(t, readErr)
	return changed, out.Bytes(), err
}
