package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/discovery"
	"k8s.io/client-go/dynamic"

	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/ruleset"
	"github.com/kubescribe/kubescribe/ruleset/manifest"
)

// objectFlag names one object: RESOURCE[.GROUP]/[NAMESPACE/]NAME, as paths and statuses do.
type objectFlag event.ID

func (o *objectFlag) String() string { return "" }

func (o *objectFlag) Set(s string) error {
	parts := strings.Split(s, "/")
	if len(parts) < 2 || len(parts) > 3 || slices.Contains(parts, "") {
		return errors.New("want RESOURCE[.GROUP]/[NAMESPACE/]NAME, as deployments.apps/default/web or nodes/a")
	}
	o.Resource, o.Group, _ = strings.Cut(parts[0], ".")
	o.Name = parts[len(parts)-1]
	if len(parts) == 3 {
		o.Namespace = parts[1]
	}
	return nil
}

// explainer finds where the rules of a folder send an object of a cluster.
type explainer struct {
	manifests *manifest.Config
	rules     *ruleset.RuleSet
	faults    error // of the manifests
	client    dynamic.Interface
	discovery discovery.DiscoveryInterface
}

// explainObject prints which rule sends the object where, or why none does. It contacts the cluster
// alone.
func (f *flags) explainObject(ctx context.Context, stdout io.Writer) (int, error) {
	e, err := f.newExplainer()
	if err != nil {
		return exitInput, err
	}
	if err := e.explain(ctx, stdout, event.ID(f.explain)); err != nil {
		return exitFailed, errors.Join(e.faults, err)
	}
	if e.faults != nil {
		return exitInput, e.faults
	}
	return exitDone, nil
}

func (f *flags) newExplainer() (*explainer, error) {
	manifests, err := f.load()
	if err != nil {
		return nil, err
	}
	cluster, err := f.cluster()
	if err != nil {
		return nil, fmt.Errorf("kubeconfig: %w", err)
	}
	e := &explainer{manifests: manifests}
	if e.client, err = dynamic.NewForConfig(cluster); err != nil {
		return nil, err
	}
	if e.discovery, err = discovery.NewDiscoveryClientForConfig(cluster); err != nil {
		return nil, err
	}
	set, resolveErr := f.policy().Resolve(manifests.Repositories, manifests.Destinations)
	rules, compileErr := ruleset.Compile(set, manifests.Rules...)
	e.rules, e.faults = rules, manifests.Explain(errors.Join(resolveErr, compileErr))
	return e, nil
}

func (e *explainer) explain(ctx context.Context, w io.Writer, id event.ID) error {
	t, notes, err := e.typeOf(id)
	if err != nil {
		return err
	}
	obj, err := e.get(ctx, t, id)
	if err != nil {
		return err
	}
	var namespaceLabels map[string]string
	if t.Namespaced {
		namespaces := ruleset.Type{Version: "v1", Resource: "namespaces"}
		namespace, err := e.get(ctx, namespaces, event.ID{Resource: "namespaces", Name: id.Namespace})
		if err != nil {
			return fmt.Errorf("labels of the namespace: %w", err)
		}
		namespaceLabels = namespace.GetLabels()
	}
	in := ruleset.NewInput(t, obj, namespaceLabels)
	in.Managers, _ = ruleset.LastManagers(obj)
	if obj.GetDeletionTimestamp() != nil {
		notes = append(notes, "it is being deleted, and counts as deleted")
	}
	e.print(w, e.rules.Explain(in), notes)
	return nil
}

// print writes the explanation, with the place of each rule in the manifests.
func (e *explainer) print(w io.Writer, explained ruleset.Explanation, notes []string) {
	verdicts := explained.Verdicts
	explained.Verdicts = nil
	fmt.Fprint(w, explained)
	for _, note := range notes {
		fmt.Fprintln(w, "  note:", note)
	}
	for _, v := range verdicts {
		kind := manifest.KindWatchRule
		if v.Rule.Namespace == "" {
			kind = manifest.KindClusterWatchRule
		}
		name := strings.TrimPrefix(v.Rule.String(), "/")
		fmt.Fprintf(w, "%s: %s %s to %s: %s: %s\n", e.manifests.Locate(kind, v.Rule), kind, name, v.Destination, v.Reason, v.Message)
	}
}

// typeOf returns the type in the version in which the mirror reads it; if no rule names the type,
// in the version that the server prefers.
func (e *explainer) typeOf(id event.ID) (t ruleset.Type, notes []string, err error) {
	groups, lists, err := e.discovery.ServerGroupsAndResources()
	failed, partial := discovery.GroupDiscoveryFailedErrorGroups(err)
	if err != nil && !partial {
		return t, nil, err
	}
	// Groups that did not answer: the mirror leaves their objects alone too.
	unknown := map[string]bool{}
	for gv := range failed {
		unknown[gv.Group] = true
	}
	served := ruleset.Served{Groups: groups, Resources: lists}.Without(unknown)
	named := typesNamed(served, id)
	if len(named) == 0 {
		return t, nil, errors.Join(fmt.Errorf("the cluster serves no resource %q of group %q", id.Resource, id.Group), err)
	}
	t = named[0]
	if len(named) > 1 {
		return t, nil, fmt.Errorf("several groups serve it: write %s.%s or %s.%s", id.Resource, t.Group, id.Resource, named[1].Group)
	}
	if t.Namespaced != (id.Namespace != "") {
		return t, nil, fmt.Errorf("%s is namespaced: %t; write RESOURCE/NAMESPACE/NAME if it is, else RESOURCE/NAME", id.Resource, t.Namespaced)
	}
	watches, _ := e.rules.Watches(served)
	for _, w := range watches {
		if w.Resource.Group == t.Group && w.Resource.Resource == t.Resource {
			return w.Resource, nil, nil
		}
	}
	return t, []string{"no rule asks for this type, so it is not watched"}, nil
}

// typesNamed returns the types that id names, in the versions that the server prefers. An id
// without a group names the resource of the core group or, if there is none, that of any group.
func typesNamed(served ruleset.Served, id event.ID) []ruleset.Type {
	var anyGroup []ruleset.Type
	for _, t := range served.Types() {
		switch {
		case t.Resource != id.Resource:
		case t.Group == id.Group:
			return []ruleset.Type{t}
		case id.Group == "":
			anyGroup = append(anyGroup, t)
		}
	}
	return anyGroup
}

func (e *explainer) get(ctx context.Context, t ruleset.Type, id event.ID) (*unstructured.Unstructured, error) {
	client := e.client.Resource(schema.GroupVersionResource{Group: t.Group, Version: t.Version, Resource: t.Resource})
	if t.Namespaced {
		return client.Namespace(id.Namespace).Get(ctx, id.Name, metav1.GetOptions{})
	}
	return client.Get(ctx, id.Name, metav1.GetOptions{})
}
