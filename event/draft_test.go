package event_test

import (
	"hash/maphash"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/event"
)

// deployment is a busy object: an autoscaler, a status and some managers write to it.
const deployment = `
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: default
  uid: u
  resourceVersion: "7"
  labels: {app: web, team: a, helm.toolkit.fluxcd.io/name: web}
  annotations: {control-plane.alpha.kubernetes.io/leader: "{}", note: x}
  managedFields:
  - {manager: kubectl, operation: Apply, apiVersion: apps/v1, fieldsV1: {"f:metadata": {"f:labels": {"f:app": {}}}, "f:spec": {"f:template": {}}}}
  - {manager: kube-controller-manager, operation: Update, apiVersion: apps/v1, subresource: scale, fieldsV1: {"f:spec": {"f:replicas": {}}}}
spec:
  replicas: 3
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers:
      - {name: a, image: "a:1", env: [{name: A, value: b}, {name: C, value: d}], ports: [{containerPort: 80, protocol: TCP}]}
      - {name: b, image: "b:1", resources: {limits: {cpu: "1", memory: 1Gi}, requests: {cpu: 100m}}}
status: {replicas: 3, conditions: [{type: Available, status: "True"}]}
`

func ignored(sets ...event.FieldSet) *event.Ignored { return event.NewIgnored(sets...) }

func paths(pointers ...string) event.FieldSet {
	var s event.FieldSet
	for _, p := range pointers {
		steps, err := event.ParsePointer(p)
		if err != nil {
			panic(err)
		}
		s.Paths = append(s.Paths, steps)
	}
	return s
}

func TestFormsThatLeaveOutTheSameShareOneContent(t *testing.T) {
	obj := object(t, deployment)
	replicas, nothing := ignored(paths("/spec/replicas")), ignored(paths("/spec/absent"))
	draft, err := event.NewDraft(obj, false, nil, replicas, nothing, ignored(paths("/spec/replicas", "/spec/more")), nil)
	require.NoError(t, err)
	contents, err := draft.Contents()
	require.NoError(t, err)
	require.Same(t, contents[0], contents[2])
	require.Same(t, contents[0], contents[4])
	require.Same(t, contents[1], contents[3])
	require.NotSame(t, contents[0], contents[1])
	require.Contains(t, string(contents[0].Bytes()), "replicas: 3")
	require.NotContains(t, string(contents[1].Bytes()), "replicas")
	for i, g := range []*event.Ignored{nil, replicas, nothing} {
		alone, err := event.ContentOf(obj, &event.Options{Ignored: g})
		require.NoError(t, err)
		require.Equal(t, string(alone.Bytes()), string(contents[i].Bytes()))
	}
}

func TestAHashIsThatOfWhatIsWrittenAndNothingElse(t *testing.T) {
	seed := maphash.MakeSeed()
	hash := func(text string, sets ...*event.Ignored) uint64 {
		draft, err := event.NewDraft(object(t, text), false, sets...)
		require.NoError(t, err)
		h, ok := draft.Hash(seed)
		require.True(t, ok)
		return h
	}
	ignores := ignored(paths("/spec/replicas"))
	was := hash(deployment, nil, ignores)
	for _, noise := range []string{`resourceVersion: "7"`, `status: {replicas: 3`, "uid: u"} {
		require.Contains(t, deployment, noise)
		require.Equal(t, was, hash(strings.ReplaceAll(deployment, noise, strings.ReplaceAll(noise, "7", "8")+"1"[:len(noise)%2]), nil, ignores))
	}
	scaled := strings.ReplaceAll(deployment, "  replicas: 3\n", "  replicas: 4\n")
	require.NotEqual(t, deployment, scaled)
	require.Equal(t, hash(deployment, ignores), hash(scaled, ignores))
	require.NotEqual(t, was, hash(scaled, nil, ignores))
	seen := map[uint64]string{}
	for _, text := range []string{
		"{}", "{a: 1}", `{a: "1"}`, "{a: 1.5}", "{a: true}", "{a: false}", "{a: null}", "{a: []}", "{a: {}}", "{a: [1, 2]}", "{a: [2, 1]}",
		"{a: [[1], 2]}", "{a: {b: 1, c: 2}}", "{a: {b: 2, c: 1}}", "{b: 1}", `{a: ""}`, "{a: {b: 1}, c: 2}", "{a: {b: 1, c: 2}, c: 2}",
	} {
		h := hash("apiVersion: v1\nkind: X\nspec: "+text, nil)
		require.Empty(t, seen[h], "the hash of %s is that of %s", text, seen[h])
		seen[h] = text
	}
}

func BenchmarkDraft(b *testing.B) {
	obj := object(b, deployment)
	marks := event.FieldSet{Annotations: []string{"control-plane.alpha.kubernetes.io/leader"}, Labels: []string{"helm.toolkit.fluxcd.io/*"}}
	seed := maphash.MakeSeed()
	for name, of := range map[string][]*event.Ignored{
		"nothing ignored": {nil}, "two globs": {ignored(marks)}, "a pointer": {ignored(paths("/spec/replicas"))},
		"a pointer into lists": {ignored(paths("/spec/template/spec/containers/*/image"))},
		"managers":             {ignored(event.FieldSet{Managers: []event.FieldManagers{{Names: []string{"kube-controller-manager"}, Subresource: "scale"}}})},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := event.NewDraft(obj, false, of...); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	draft, err := event.NewDraft(obj, false, nil)
	require.NoError(b, err)
	b.Run("hash", func(b *testing.B) {
		for b.Loop() {
			draft.Hash(seed)
		}
	})
	b.Run("contents", func(b *testing.B) {
		for b.Loop() {
			if _, err := draft.Contents(); err != nil {
				b.Fatal(err)
			}
		}
	})
}
