package source

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/kubescribe/kubescribe/event"
)

func TestFieldManagerNamesWhoMadeTheNewestChangeAndNobodyInDoubt(t *testing.T) {
	now := time.Now().Truncate(time.Second)
	entry := func(manager, subresource string, age time.Duration) metav1.ManagedFieldsEntry {
		at := metav1.NewTime(now.Add(-age))
		return metav1.ManagedFieldsEntry{Manager: manager, Subresource: subresource, Operation: metav1.ManagedFieldsOperationUpdate, Time: &at}
	}
	author := func(name, email string, age time.Duration) event.Author {
		return event.Author{Name: name, Email: email + "@field-manager.invalid", When: now.Add(-age)}
	}
	for _, c := range []struct {
		promise string
		op      event.Operation
		fields  []metav1.ManagedFieldsEntry
		want    event.Author
	}{
		{"the newest", event.Update, []metav1.ManagedFieldsEntry{entry("helm", "", time.Minute), entry("kubectl-edit", "", time.Second), entry("old", "", time.Hour)},
			author("kubectl-edit", "kubectl-edit", time.Second)},
		{"subresources left out", event.Update, []metav1.ManagedFieldsEntry{entry("helm", "", time.Minute), entry("kubelet", "status", 0)},
			author("helm", "helm", time.Minute)},
		{"two entries of one manager", event.Create, []metav1.ManagedFieldsEntry{entry("helm", "", 0), entry("helm", "", 0)}, author("helm", "helm", 0)},
		{"nobody of two in one second", event.Update, []metav1.ManagedFieldsEntry{entry("helm", "", 0), entry("kubectl", "", 0)}, event.Author{}},
		{"nobody whose trace is old", event.Update, []metav1.ManagedFieldsEntry{entry("helm", "", 6*time.Minute)}, event.Author{}},
		{"nobody without entries", event.Update, nil, event.Author{}},
		{"nobody without a time", event.Update, []metav1.ManagedFieldsEntry{{Manager: "helm"}}, event.Author{}},
		{"nobody for a delete", event.Delete, []metav1.ManagedFieldsEntry{entry("helm", "", 0)}, event.Author{}},
		{"a name that Git's signatures can hold", event.Update, []metav1.ManagedFieldsEntry{entry(" a <b@c>\nd é/x ", "", 0)},
			author("a b@cd é/x", "a-b-cd---x", 0)},
		{"an address that shows the name", event.Update, []metav1.ManagedFieldsEntry{entry("kube_Ctl-1.30+x", "", 0)}, author("kube_Ctl-1.30+x", "kube_Ctl-1.30+x", 0)},
		{"nobody without a name", event.Update, []metav1.ManagedFieldsEntry{entry("<>", "", 0)}, event.Author{}},
	} {
		obj := configMap("default", "a", "1")
		obj.SetManagedFields(c.fields)
		got := FieldManager(t.Context(), obj, c.op)
		require.True(t, c.want.When.Equal(got.When), "%s: %s", c.promise, got.When)
		require.Equal(t, []string{c.want.Name, c.want.Email}, []string{got.Name, got.Email}, c.promise)
	}
	require.Zero(t, FieldManager(t.Context(), nil, event.Delete))
	require.Zero(t, FieldManager(t.Context(), nil, event.Update))
}
