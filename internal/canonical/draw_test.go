package canonical_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
)

// pieces are what text is hard to write with, to read, or to tell from something else.
var pieces = []string{
	" ", " ", "  ", "\n", "\n", "\n", "\n\n", "\t", "\r\n", "\r", "a", "b c", "word word word", `"`, `\`, "'", "#", " #", ":", ": ", "- ", "-", "? ", "?", "%", "@", "`",
	"&", "*", "!", "!!int", "|", ">", "{", "}", "[", "]", ",", "---", "--- ", "...", "\n---\n", "\n...\n", "~", "null", "yes", "No", "TRUE", "on", "y", "=", "<<",
	"0", "1", "08", "0x1f", "0o7", "0b1", "1e3", "1_000", "1:20", ".5", ".", "_", "+", "e", "-.inf", ".NaN", "2020-01-01", "2020-1-1T", "\u00a0", "é", "日本", "\U0001f600",
	"\U0010ffff", "\u0085", "\u2028", "\u2029", "\ufeff", "\ufffe", "\uffff", "\x00", "\x07", "\x1b[0m", "\x7f", "\u009f", "\ue000", "\ue001", "\ufffd", "\\n", `\ `, "$",
}

// words of objects, so that there is something to sanitise.
var words = []string{
	"apiVersion", "kind", "metadata", "spec", "status", "name", "labels", "annotations", "managedFields", "manager", "fieldsV1", "creationTimestamp", "template", "jobTemplate",
	"uid", "ownerReferences", "clusterIP", "clusterIPs", "ports", "port", "protocol", "nodePort", "claimRef", "volumeName", "finalizers", "secrets", "rules", "aggregationRule",
	"selector", "manualSelector", "controller-uid", "job-name", "volumeClaimTemplates", "healthCheckNodePort", "resourceVersion", "f:spec", "f:clusterIP", "f:ports",
	"pv.kubernetes.io/bound-by-controller", "kubectl.kubernetes.io/last-applied-configuration", "deployment.kubernetes.io/revision", "kubernetes.io/metadata.name",
	"groups", "extra", "username", `k:{"port":80,"protocol":"TCP"}`, "f:nodePort", "f:healthCheckNodePort", "f:claimRef", "f:volumeName",
}

// kinds that have a rule of their own, and some that have none.
var kinds = []string{
	"v1 Service", "v1 Namespace", "v1 PersistentVolume", "v1 PersistentVolumeClaim", "v1 ServiceAccount", "batch/v1 Job", "apps/v1 StatefulSet", "apps/v1 Deployment", "v1 PodTemplate",
	"rbac.authorization.k8s.io/v1 ClusterRole", "certificates.k8s.io/v1 CertificateSigningRequest", "example.com/v1 Widget", "a/b/c Job", "batch/v1beta1 CronJob",
}

var values = []string{
	"null", "true", "false", "0", "-0", "1", "80", "30080", "1.0", "-1.50", "1e3", "1E+3", "1e-7", "1e-6", "0.0000009", "999999999999999999999", "-0.0", "9223372036854775807", "9223372036854775808", "-9223372036854775808",
	"12345678901234567890", "1e21", "123456789012345678901234567890", "5e-324", "1e-400", "1.7976931348623157e308", `"kubernetes"`, `"None"`, `"TCP"`, `"yes"`,
	`"kube-apiserver"`, `"kubectl"`, `"before-first-apply"`, `"x-token-bcdfg"`, `"x"`, "{}", "[]", `"10.0.0.1"`, `{"spec":{"clusterIP":"10.0.0.1","ports":[{"port":80,"nodePort":1}]}}`,
	`"{\"spec\":{\"clusterIP\":\"10.0.0.1\",\"volumeName\":\"x\",\"ports\":[{\"port\":80,\"nodePort\":30080}],\"claimRef\":{\"name\":\"x\"},\"clusterIPs\":[null,1,{}]}}"`,
	`"{\"spec\":{\"clusterIP\":{},\"healthCheckNodePort\":1e400,\"clusterIPs\":[{\"a\":null}]}}"`, "[null,1,{}]", `[{"a":null}]`,
}

// drawing draws the text of JSON objects.
type drawing struct {
	*rand.Rand
	b strings.Builder
}

func (d *drawing) text() string {
	var b strings.Builder
	for range d.IntN(7) {
		b.WriteString(pieces[d.IntN(len(pieces))])
	}
	if d.IntN(60) == 0 {
		b.WriteString(strings.Repeat("long ", d.IntN(60)))
	}
	return b.String()
}

// object draws one that has a kind and metadata, more often than not.
func (d *drawing) object() string {
	d.b.Reset()
	version, kind, _ := strings.Cut(kinds[d.IntN(len(kinds))], " ")
	d.b.WriteString("{")
	if d.IntN(20) > 0 {
		fmt.Fprintf(&d.b, `"apiVersion":%q,"kind":%q,`, version, kind)
	}
	if d.IntN(3) > 0 {
		d.b.WriteString(`"metadata":{"name":"x",`)
		d.members(2)
		d.b.WriteString(`},`)
	}
	if d.IntN(3) > 0 {
		d.b.WriteString(`"spec":{`)
		d.members(2)
		d.b.WriteString("},")
	}
	d.members(1)
	d.b.WriteString("}")
	return d.b.String()
}

// members are one or more.
func (d *drawing) members(depth int) {
	for i := range 1 + d.IntN(5) {
		if i > 0 {
			d.b.WriteString(",")
		}
		d.blank()
		if d.IntN(3) > 0 {
			d.b.WriteString(strconv.Quote(words[d.IntN(len(words))]))
		} else {
			d.quote(d.text())
		}
		d.blank()
		d.b.WriteString(":")
		d.value(depth)
	}
}

func (d *drawing) value(depth int) {
	d.blank()
	defer d.blank()
	switch d.IntN(8) {
	case 0, 1, 2:
		if depth < 4 {
			d.b.WriteString("{")
			d.members(depth + 1)
			d.b.WriteString("}")
			return
		}
		fallthrough
	case 3:
		d.b.WriteString("[")
		for i := range d.IntN(max(1, 5-depth)) {
			if i > 0 {
				d.b.WriteString(",")
			}
			d.value(depth + 1)
		}
		d.b.WriteString("]")
	case 4, 5:
		d.b.WriteString(values[d.IntN(len(values))])
	default:
		d.quote(d.text())
	}
}

func (d *drawing) blank() {
	if d.IntN(20) == 0 {
		d.b.WriteString(" \n\t\r"[d.IntN(4):][:1])
	}
}

// quote writes a text of JSON in one of the ways in which it can be written, some of them broken.
func (d *drawing) quote(s string) {
	switch d.IntN(12) {
	case 0: // each character escaped
		d.b.WriteString(`"`)
		for _, r := range s {
			if r > 0xffff {
				fmt.Fprintf(&d.b, `\u%04x\u%04X`, 0xd800+(r-0x10000)>>10, 0xdc00+(r-0x10000)&0x3ff)
			} else {
				fmt.Fprintf(&d.b, `\u%04x`, r)
			}
		}
		d.b.WriteString(`"`)
	case 1: // half a pair, and bytes that are no UTF-8
		quoted, _ := json.Marshal(s)
		d.b.WriteString(`"` + []string{`\ud83d`, `\ude00`, `\ud83d\n`, `\ud83d\u0041`, "\xff", "é\xc3", "\xed\xa0\x80", `\/`}[d.IntN(8)])
		d.b.Write(quoted[1:])
	default:
		quoted, _ := json.Marshal(s)
		d.b.Write(quoted)
	}
}
