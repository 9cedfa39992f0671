package testenv

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
)

// etcdScratchKey lies outside every EtcdPrefix, which begins with a slash.
const etcdScratchKey = "testenv"

// Etcd is a running etcd. Several API servers may store into it: as clusters of their own with an
// EtcdPrefix each, or as one cluster with the same EtcdPrefix.
type Etcd struct {
	dir  string
	url  string
	proc *process
}

// StartEtcd starts an etcd without an API server, to be handed to several Envs in Options.Etcd, and
// stops it when the test is over. It skips the test where Start does.
func StartEtcd(t testing.TB) *Etcd {
	t.Helper()
	programs := assets(t)
	etcd, err := startEtcd(t.Context(), programs)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		showLogs(t, etcd.proc.log)
		etcd.stop()
	})
	return etcd
}

func startEtcd(ctx context.Context, programs string) (*Etcd, error) {
	dir, err := os.MkdirTemp("", "testenv-etcd-")
	if err != nil {
		return nil, err
	}
	etcd := &Etcd{dir: dir}
	if err := onFreePort(func(port int) error { return etcd.run(ctx, programs, port) }); err != nil {
		_ = os.RemoveAll(dir)
		return nil, err
	}
	return etcd, nil
}

func (e *Etcd) run(ctx context.Context, programs string, port int) error {
	e.url = "http://" + address(port)
	name := filepath.Base(e.dir) // unlike that of any other etcd which could answer on this port
	proc, err := startProcess(filepath.Join(programs, "etcd"), e.dir,
		"--name="+name,
		"--data-dir="+e.data(),
		"--listen-client-urls="+e.url,
		"--advertise-client-urls="+e.url,
		"--listen-peer-urls=http://"+address(0), // it has no peers
		"--unsafe-no-fsync",                     // the data need not survive the machine
		"--log-level=warn",
	)
	if err != nil {
		return err
	}
	e.proc = proc
	err = proc.waitReady(ctx, func(ctx context.Context) error { return e.isMember(ctx, name) })
	if err != nil {
		proc.stop(stopGrace)
	}
	return err
}

func (e *Etcd) stop() {
	e.proc.stop(stopGrace)
	_ = os.RemoveAll(e.dir)
}

func (e *Etcd) isMember(ctx context.Context, name string) error {
	var list struct{ Members []struct{ Name string } }
	if err := e.call(ctx, "/v3/cluster/member/list", map[string]any{}, &list); err != nil {
		return err
	}
	if len(list.Members) != 1 || list.Members[0].Name != name {
		return fmt.Errorf("testenv: %s is another etcd: %v", e.url, list.Members)
	}
	return nil
}

// Compact discards every revision up to now, whichever API server wrote it: a watch or a continue
// token of before then finds its revision gone, as far as it is etcd that serves it (see
// Options.DisableWatchCache).
func (e *Etcd) Compact(ctx context.Context) error {
	var put struct {
		Header struct {
			Revision int64 `json:",string"`
		}
	}
	// A write of our own gives a revision that is newer than any the API servers know, and that was
	// not compacted before.
	if err := e.call(ctx, "/v3/kv/put", map[string]any{"key": []byte(etcdScratchKey)}, &put); err != nil {
		return err
	}
	return e.call(ctx, "/v3/kv/compaction", map[string]any{"revision": put.Header.Revision, "physical": true}, nil)
}

// call sends a request to etcd's JSON gateway, which has bytes in base64 and 64-bit numbers as
// strings as the protobuf mapping says; see "gRPC gateway" in the etcd documentation.
func (e *Etcd) call(ctx context.Context, path string, in map[string]any, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, e.url+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Close = true // leaves no connection, and so no goroutine, behind
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	var answer bytes.Buffer
	if _, err := answer.ReadFrom(response.Body); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("testenv: etcd answered %s with %s: %s", path, response.Status, &answer)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(answer.Bytes(), out)
}
