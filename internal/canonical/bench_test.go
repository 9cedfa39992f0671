package canonical_test

import (
	"bytes"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/internal/canonical"
	"github.com/kubescribe/kubescribe/internal/canonical/canonicaltest"
)

// sample is an object as an API server sends it.
type sample struct {
	name string
	json []byte
}

const managedFields = `"managedFields":[{"manager":"kubectl-client-side-apply","operation":"Update","apiVersion":%q,"time":"2026-01-02T03:04:05Z","fieldsType":"FieldsV1","fieldsV1":%s}]`

func metadata(name, apiVersion, fields string) string {
	return fmt.Sprintf(`{"name":%q,"namespace":"team-a","uid":"6f0a1c8e-2f4b-4b55-9a53-0d1c5f0f2d11","resourceVersion":"1234567","creationTimestamp":"2026-01-02T03:04:05Z",`+
		`"labels":{"app.kubernetes.io/name":%q,"app.kubernetes.io/part-of":"shop"},"annotations":{"kubectl.kubernetes.io/last-applied-configuration":"{}\n"},`+
		managedFields+`}`, name, name, apiVersion, fields)
}

func configMap(name string, data map[string]string) []byte {
	text, _ := json.Marshal(data)
	fields := map[string]any{"f:data": map[string]any{".": map[string]any{}}}
	for key := range data {
		fields["f:data"].(map[string]any)["f:"+key] = map[string]any{}
	}
	owned, _ := json.Marshal(fields)
	return []byte(`{"apiVersion":"v1","kind":"ConfigMap","metadata":` + metadata(name, "v1", string(owned)) + `,"data":` + string(text) + `}`)
}

// lines is a text of about size bytes in lines, as configuration has them.
func lines(size int) string {
	r := rand.New(rand.NewPCG(1, 1))
	var b strings.Builder
	for b.Len() < size {
		fmt.Fprintf(&b, "  option-%d = \"%x\" # limit: %d\n", r.IntN(100), r.Uint64(), r.IntN(1000))
	}
	return strings.TrimLeft(b.String(), " ")
}

func container(i int) string {
	return fmt.Sprintf(`{"name":"c%d","image":"registry.example.com/shop/web:1.%d.0","command":["/bin/sh","-c","exec web --port=8080"],`+
		`"ports":[{"name":"http","containerPort":8080,"protocol":"TCP"}],"env":[{"name":"A","value":"1"},{"name":"POD","valueFrom":{"fieldRef":{"apiVersion":"v1","fieldPath":"metadata.name"}}}],`+
		`"resources":{"limits":{"cpu":"500m","memory":"128Mi"},"requests":{"cpu":"250m","memory":"64Mi"}},"livenessProbe":{"httpGet":{"path":"/healthz","port":"http","scheme":"HTTP"},`+
		`"initialDelaySeconds":3,"timeoutSeconds":1,"periodSeconds":10,"successThreshold":1,"failureThreshold":3},"terminationMessagePath":"/dev/termination-log",`+
		`"terminationMessagePolicy":"File","imagePullPolicy":"IfNotPresent","volumeMounts":[{"name":"config","mountPath":"/etc/web"}]}`, i, i)
}

func ownedContainer(i int) string {
	return fmt.Sprintf(`"k:{\"name\":\"c%d\"}":{".":{},"f:command":{},"f:env":{".":{},"k:{\"name\":\"A\"}":{".":{},"f:name":{},"f:value":{}}},"f:image":{},"f:imagePullPolicy":{},`+
		`"f:livenessProbe":{".":{},"f:failureThreshold":{},"f:httpGet":{".":{},"f:path":{},"f:port":{},"f:scheme":{}},"f:periodSeconds":{}},"f:name":{},`+
		`"f:ports":{".":{},"k:{\"containerPort\":8080,\"protocol\":\"TCP\"}":{".":{},"f:containerPort":{},"f:name":{},"f:protocol":{}}},"f:resources":{".":{},"f:limits":{".":{},"f:cpu":{}}}}`, i)
}

func deployment() []byte {
	return []byte(`{"apiVersion":"apps/v1","kind":"Deployment","metadata":` +
		metadata("web", "apps/v1", `{"f:spec":{"f:replicas":{},"f:template":{"f:spec":{"f:containers":{`+ownedContainer(0)+`,`+ownedContainer(1)+`}}}}}`) +
		`,"spec":{"replicas":3,"selector":{"matchLabels":{"app":"web"}},"template":{"metadata":{"creationTimestamp":null,"labels":{"app":"web"}},"spec":{"containers":[` +
		container(0) + `,` + container(1) + `],"restartPolicy":"Always","terminationGracePeriodSeconds":30,"dnsPolicy":"ClusterFirst","securityContext":{},"schedulerName":"default-scheduler",` +
		`"volumes":[{"name":"config","configMap":{"name":"web","defaultMode":420}}]}},"strategy":{"type":"RollingUpdate","rollingUpdate":{"maxUnavailable":"25%","maxSurge":"25%"}},` +
		`"revisionHistoryLimit":10,"progressDeadlineSeconds":600},"status":{"observedGeneration":3,"replicas":3,"updatedReplicas":3,"readyReplicas":3,"availableReplicas":3,` +
		`"conditions":[{"type":"Available","status":"True","lastUpdateTime":"2026-01-02T03:04:05Z","lastTransitionTime":"2026-01-02T03:04:05Z","reason":"MinimumReplicasAvailable",` +
		`"message":"Deployment has minimum availability."}]}}`)
}

func property(depth int) string {
	if depth == 0 {
		return `{"type":"string","description":"A word of the specification: it says, in a sentence, what the field is for. Default: none.","maxLength":63}`
	}
	var b strings.Builder
	b.WriteString(`{"type":"object","description":"One part of it, which has several fields: each is described below.","properties":{`)
	for i := range 6 {
		if i > 0 {
			b.WriteString(",")
		}
		fmt.Fprintf(&b, `"field%d":%s`, i, property(depth-1))
	}
	b.WriteString(`},"required":["field0","field1"]}`)
	return b.String()
}

func customResourceDefinition() []byte {
	return []byte(`{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","metadata":` + metadata("widgets.example.com", "apiextensions.k8s.io/v1", `{"f:spec":{"f:group":{}}}`) +
		`,"spec":{"group":"example.com","names":{"plural":"widgets","singular":"widget","kind":"Widget","listKind":"WidgetList"},"scope":"Namespaced","versions":[{"name":"v1","served":true,"storage":true,` +
		`"schema":{"openAPIV3Schema":` + property(3) + `}}],"conversion":{"strategy":"None"}},"status":{"storedVersions":["v1"]}}`)
}

func samples() []sample {
	many := map[string]string{}
	for i := range 40 {
		many[fmt.Sprintf("file-%d.conf", i)] = lines(5000)
	}
	return []sample{
		{"ConfigMap of 2 KB", configMap("small", map[string]string{"web.conf": lines(1300), "mode": "fast"})},
		{"Deployment", deployment()},
		{"ConfigMap of 200 KB", configMap("large", many)},
		{"CustomResourceDefinition", customResourceDefinition()},
	}
}

// BenchmarkObject measures the way of an object from what the API server sends to canonical YAML.
//
//	go test -run '^$' -bench Object -benchmem ./internal/canonical
func BenchmarkObject(b *testing.B) {
	var d canonical.Document
	var text []byte
	for _, s := range samples() {
		run := func(way string, convert func(b *testing.B)) {
			b.Run(s.name+"/"+way, func(b *testing.B) {
				b.SetBytes(int64(len(s.json)))
				b.ReportAllocs()
				for b.Loop() {
					convert(b)
				}
			})
		}
		run("maps and yaml.v3", func(b *testing.B) {
			obj := decode(b, s.json)
			if _, err := canonicaltest.Encode(canonicaltest.Sanitize(obj)); err != nil {
				b.Fatal(err)
			}
		})
		run("maps and Load", func(b *testing.B) {
			obj := decode(b, s.json)
			if err := d.Load(obj.Object); err != nil {
				b.Fatal(err)
			}
			text = written(b, &d, text)
		})
		run("Parse", func(b *testing.B) {
			if err := d.Parse(s.json); err != nil {
				b.Fatal(err)
			}
			text = written(b, &d, text)
		})
		run("client-go's maps, no more", func(b *testing.B) { decode(b, s.json) })
		run("Parse, no more", func(b *testing.B) {
			if err := d.Parse(s.json); err != nil {
				b.Fatal(err)
			}
		})
		run("SHA-1", func(*testing.B) { sha1.Sum(text) })
		run("SHA-256", func(*testing.B) { sha256.Sum256(text) })
		run("NewContent", func(*testing.B) { event.NewContent(text) })
	}
}

// decode is what client-go's dynamic client does with an answer.
func decode(b *testing.B, text []byte) *unstructured.Unstructured {
	obj, _, err := unstructured.UnstructuredJSONScheme.Decode(text, nil, nil)
	if err != nil {
		b.Fatal(err)
	}
	return obj.(*unstructured.Unstructured)
}

// written sanitises the object, writes it into memory that is used again, and copies it from there.
func written(b *testing.B, d *canonical.Document, text []byte) []byte {
	d.Sanitize()
	text, err := d.AppendYAML(text[:0])
	if err != nil {
		b.Fatal(err)
	}
	kept = bytes.Clone(text)
	return text
}

var kept []byte
