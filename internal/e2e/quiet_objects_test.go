package e2e

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"maps"
	"math/big"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/rest"

	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/internal/testenv"
)

// everyAPI has the server serve all that it knows, with the features that some of it depends on.
var everyAPI = []string{
	"--runtime-config=api/all=true",
	"--feature-gates=AllAlpha=true,AllBeta=true",
	"--event-ttl=100h", // Events are removed by the server after an hour
}

// notKept are served types that no object stays of, or that no client may make.
var notKept = map[string]string{
	"bindings":                                       "an order to the scheduler",
	"componentstatuses":                              "virtual, and not watched",
	"tokenreviews.authentication.k8s.io":             "an answer",
	"selfsubjectreviews.authentication.k8s.io":       "an answer",
	"localsubjectaccessreviews.authorization.k8s.io": "an answer",
	"selfsubjectaccessreviews.authorization.k8s.io":  "an answer",
	"selfsubjectrulesreviews.authorization.k8s.io":   "an answer",
	"subjectaccessreviews.authorization.k8s.io":      "an answer",
}

// quiet is a cluster of the test's own with an object of every type.
type quiet struct {
	*cluster
	env       *testenv.Env
	git       *gitservertest.Server
	discovery *discovery.DiscoveryClient
	made      map[string][]string // type: files of the objects that were made
}

func newQuiet(t *testing.T, env *testenv.Env) *quiet {
	t.Helper()
	config := env.Config()
	config.WarningHandler = rest.NoWarnings{} // deprecated types are types
	d, err := discovery.NewDiscoveryClientForConfig(config)
	require.NoError(t, err)
	return &quiet{
		cluster: newCluster(t, config, env.Kubeconfig()), env: env, git: gitservertest.NewServer(t, nil), discovery: d,
		made: map[string][]string{},
	}
}

// served returns what discovery tells, without subresources.
func (q *quiet) served() map[schema.GroupVersionResource]metav1.APIResource {
	q.t.Helper()
	_, lists, err := q.discovery.ServerGroupsAndResources()
	if !discovery.IsGroupDiscoveryFailedError(err) { // the silent group is there at last
		require.NoError(q.t, err)
	}
	all := map[schema.GroupVersionResource]metav1.APIResource{}
	for _, list := range lists {
		gv, err := schema.ParseGroupVersion(list.GroupVersion)
		require.NoError(q.t, err)
		for _, r := range list.APIResources {
			if !strings.Contains(r.Name, "/") {
				all[gv.WithResource(r.Name)] = r
			}
		}
	}
	return all
}

// watchable returns the types that can be mirrored, in each version.
func (q *quiet) watchable() []schema.GroupVersionResource {
	var all []schema.GroupVersionResource
	for gvr, r := range q.served() {
		if slices.Contains(r.Verbs, "list") && slices.Contains(r.Verbs, "watch") {
			all = append(all, gvr)
		}
	}
	return all
}

// makeObjects makes what testdata/quiet has.
func (q *quiet) makeObjects() {
	q.t.Helper()
	text, err := os.ReadFile("testdata/quiet/objects.yaml")
	require.NoError(q.t, err)
	request, stub, certificate := papers(q.t)
	whole := replace(string(text), "REQUEST", request, "STUB", stub, "CERTIFICATE", certificate)
	var refused []string
	for _, document := range strings.Split(whole, "\n---\n") {
		obj := parse(q.t, document)
		var gvr schema.GroupVersionResource
		var is metav1.APIResource
		gv := obj.GroupVersionKind().GroupVersion()
		find := func() bool { // custom resources take a moment
			for of, r := range q.served() {
				if of.GroupVersion() == gv && r.Kind == obj.GetKind() {
					gvr, is = of, r
				}
			}
			return gvr.Resource != ""
		}
		if !find() && gv.Group != "quiet.example.com" {
			refused = append(refused, fmt.Sprintf("%s is not served", obj.GroupVersionKind()))
			continue
		}
		eventually(q.t, find, func() string { return obj.GroupVersionKind().String() + " is not served" })
		client, folder := q.client.Resource(gvr).Namespace(obj.GetNamespace()), obj.GetNamespace()
		if !is.Namespaced {
			folder = "_cluster"
		}
		create := func() bool { _, err = client.Create(q.t.Context(), obj, metav1.CreateOptions{}); return err == nil }
		if gv.Group == "quiet.example.com" {
			eventually(q.t, create, func() string { return err.Error() })
		} else if !create() {
			refused = append(refused, fmt.Sprintf("%s %s: %v", obj.GetKind(), obj.GetName(), err))
			continue
		}
		typ := gvr.GroupResource().String()
		q.made[typ] = append(q.made[typ], folder+"/"+typ+"/"+obj.GetName()+".yaml")
	}
	require.Empty(q.t, refused)
}

// requireEveryType fails for a served type of which nothing was made, unless that cannot be.
func (q *quiet) requireEveryType() {
	q.t.Helper()
	served, missing := map[string]bool{}, map[string]bool{}
	for gvr := range q.served() {
		typ := gvr.GroupResource().String()
		served[typ] = true
		if notKept[typ] == "" && len(q.made[typ]) == 0 {
			missing[gvr.String()] = true
		}
	}
	require.Empty(q.t, slices.Sorted(maps.Keys(missing)), "make one in testdata/quiet/objects.yaml, or say in notKept why not")
	for typ, why := range notKept {
		require.True(q.t, served[typ], "%s (%s) is not served: take it out of notKept", typ, why)
		require.Empty(q.t, q.made[typ], "%s (%s) was made: take it out of notKept", typ, why)
	}
}

// requireEveryVersion fails if an object that was made is in no file of its type in some version.
func (q *quiet) requireEveryVersion(mirrors []*quietMirror) {
	q.t.Helper()
	written := map[string]bool{} // apiVersion and file
	for _, m := range mirrors {
		for path, content := range folder(m.repo, "main", "selected") {
			written[quietAPIVersion(content)+" "+path] = true
		}
		st, _ := m.DestinationStatus(ref("default", "selected"))
		require.Empty(q.t, st.Watch.Refused, m.name)
		require.Empty(q.t, st.Skipped, m.name)
	}
	for _, gvr := range q.watchable() {
		for _, path := range q.made[gvr.GroupResource().String()] {
			require.True(q.t, written[gvr.GroupVersion().String()+" "+path], "%s is nowhere written as %s", path, gvr.GroupVersion())
		}
	}
}

// quietAPIVersion returns what a file says.
func quietAPIVersion(content string) string {
	if sealed, ok := strings.CutPrefix(content, quietSealed); ok {
		plain, _ := base64.StdEncoding.DecodeString(strings.TrimSpace(sealed))
		content = string(plain[quietNonce:])
	}
	_, rest, _ := strings.Cut(content, "apiVersion: ")
	version, _, _ := strings.Cut(rest, "\n")
	return version
}

const (
	quietSealed = "sealed: "
	quietNonce  = 16
)

// quietSeal stands in for encryption: the same text looks different each time.
type quietSeal struct{}

func (quietSeal) Encrypt(_ context.Context, p event.Plaintext) ([]byte, error) {
	nonce := make([]byte, quietNonce)
	_, _ = rand.Read(nonce) // never fails
	return []byte(quietSealed + base64.StdEncoding.EncodeToString(append(nonce, p.Content...)) + "\n"), nil
}

func (quietSeal) Same(_ context.Context, p event.Plaintext) (bool, error) {
	text, ok := bytes.CutPrefix(p.Stored, []byte(quietSealed))
	had, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
	return ok && err == nil && len(had) >= quietNonce && bytes.Equal(had[quietNonce:], p.Content), nil
}

// papers returns what types of certificates.k8s.io ask for: a request in PEM and one in DER, in
// base64, and the certificate of an authority in PEM, as a string within quotes.
func papers(t *testing.T) (request, stub, certificate string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, key)
	require.NoError(t, err)
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(24 * time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign,
	}
	signed, err := x509.CreateCertificate(rand.Reader, authority, authority, key.Public(), key)
	require.NoError(t, err)
	inPEM := func(kind string, data []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data}) }
	return base64.StdEncoding.EncodeToString(inPEM("CERTIFICATE REQUEST", der)), base64.StdEncoding.EncodeToString(der),
		strings.ReplaceAll(string(inPEM("CERTIFICATE", signed)), "\n", `\n`)
}
