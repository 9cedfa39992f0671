package manifest

import (
	"maps"
	"strings"

	"go.yaml.in/yaml/v3"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/orphan"
	"github.com/kubescribe/kubescribe/ruleset"
)

// The kinds of rules; destination has those of repositories and destinations.
const (
	KindWatchRule        = "WatchRule"
	KindClusterWatchRule = "ClusterWatchRule"
)

const (
	groupVersion = "configbutler.ai/v1alpha1"
	kindSecret   = "Secret"
)

type kind struct {
	apiVersion string
	read       func(*loader, *object)
}

var kinds = map[string]kind{
	destination.KindRepository:  {groupVersion, (*loader).repository},
	destination.KindDestination: {groupVersion, (*loader).destination},
	KindWatchRule:               {groupVersion, (*loader).watchRule},
	KindClusterWatchRule:        {groupVersion, (*loader).clusterWatchRule},
	kindSecret:                  {"v1", (*loader).secret},
}

// read reads the whole object, of which body is what its kind alone has.
func (o *object) read(body fields, required ...string) {
	all := fields{
		"apiVersion": oneOf(o.apiVersion)(new(string)),
		"kind":       text(&o.kind),
		"metadata": mapping(fields{
			"name":        objectName(&o.ref.Name),
			"namespace":   namespaceName(&o.ref.Namespace),
			"labels":      dictionary(new(map[string]string), text),
			"annotations": dictionary(new(map[string]string), text),
		}, "name"),
	}
	maps.Copy(all, body)
	mapping(all, append(required, "apiVersion", "metadata")...)(o, "", o.node)
	o.node = nil
	switch {
	case o.kind != KindClusterWatchRule && o.ref.Namespace == "":
		o.ref.Namespace = defaultNamespace
	case o.kind == KindClusterWatchRule && o.ref.Namespace != "":
		o.fault("metadata.namespace", "a ClusterWatchRule is in no namespace, remove it (%q)", o.ref.Namespace)
		o.ref.Namespace = ""
	}
}

func (l *loader) repository(o *object) {
	var r destination.Repository
	var secret *types.NamespacedName
	var push *Push
	o.read(fields{"spec": mapping(fields{
		"repoURL":           text(&r.URL),
		"allowedBranches":   sequence(&r.AllowedBranches, text),
		"allowedNamespaces": sequence(&r.AllowedNamespaces, text),
		"secretRef": optional(&secret, func(to *types.NamespacedName) decode {
			return mapping(fields{"name": objectName(&to.Name)}, "name")
		}),
		"push": optional(&push, func(to *Push) decode {
			return mapping(fields{"interval": positiveDuration(&to.Interval), "maxCommits": atLeastOne(&to.MaxCommits)})
		}),
	}, "repoURL")}, "spec")
	r.Ref = o.ref
	l.Repositories = append(l.Repositories, r)
	if secret != nil {
		secret.Namespace = o.ref.Namespace
		l.Credentials[o.ref] = *secret
	}
	if push != nil {
		l.Push[o.ref] = *push
	}
}

func atLeastOne(to *int) decode {
	return integer(to, "a whole number, 1 or more", func(i int) bool { return i >= 1 })
}

func (l *loader) destination(o *object) {
	var s destination.Spec
	var orphans *orphan.Options
	var layout event.Layout
	var kustomization bool
	var encryption *Encryption
	o.read(fields{"spec": mapping(fields{
		"repoRef":           ref(&s.RepositoryRef, "name"),
		"branch":            branch(&s.Branch),
		"baseFolder":        text(&s.BaseFolder),
		"allowedNamespaces": sequence(&s.AllowedNamespaces, text),
		"layout":            layoutOf(&layout),
		"kustomization":     boolean(&kustomization),
		"encryption": optional(&encryption, func(to *Encryption) decode {
			return mapping(fields{
				"secretRef":  mapping(fields{"name": objectName(&to.Secret.Name)}, "name"),
				"recipients": sequence(&to.Recipients, text),
			}, "secretRef")
		}),
		"orphans": optional(&orphans, func(to *orphan.Options) decode {
			return mapping(fields{
				"policy": oneOf(orphan.Never, orphan.OnDelete, orphan.Always)(&to.Policy),
				"maxFiles": integer(&to.MaxFiles, "a whole number, 1 or more, or -1 for no limit", func(i int) bool {
					return i >= 1 || i == -1
				}),
			})
		}),
	}, "repoRef", "branch")}, "spec")
	s.Ref = o.ref
	l.refer(o, "spec.repoRef.name", destination.KindRepository, &s.RepositoryRef)
	l.Destinations = append(l.Destinations, s)
	if orphans != nil {
		l.Orphans[o.ref] = *orphans
	}
	if layout != nil {
		l.Layouts[o.ref] = layout
	}
	if kustomization {
		l.Kustomizations[o.ref] = true
	}
	if encryption != nil {
		encryption.Secret.Namespace = o.ref.Namespace
		l.Encryption[o.ref] = *encryption
	}
}

// layoutOf reads a layout by its name, or as a template.
func layoutOf(to *event.Layout) decode {
	var name string
	return func(o *object, path string, n *yaml.Node) {
		checked(func(s string) string {
			layout, err := event.ParseLayout(s)
			if err != nil {
				return "is no layout: " + strings.TrimPrefix(err.Error(), event.ErrLayout.Error()+": ")
			}
			*to = layout
			return ""
		})(&name)(o, path, n)
	}
}

// ref reads a reference whose namespace may be absent, unless it is among the required fields.
func ref(to *types.NamespacedName, required ...string) decode {
	return mapping(fields{"name": objectName(&to.Name), "namespace": namespaceName(&to.Namespace)}, required...)
}

func (l *loader) watchRule(o *object) {
	var r ruleset.Rule
	spec := ruleFields(&r, resourceRule)
	spec["destinationRef"] = ref(&r.Destination, "name")
	o.read(fields{"spec": mapping(spec, "destinationRef", "rules")}, "spec")
	l.rule(o, r)
}

func (l *loader) clusterWatchRule(o *object) {
	var r ruleset.Rule
	spec := ruleFields(&r, clusterResourceRule)
	spec["destinationRef"] = ref(&r.Destination, "name", "namespace")
	spec["namespaceSelector"] = optional(&r.NamespaceSelector, labelSelector)
	o.read(fields{"spec": mapping(spec, "destinationRef", "rules")}, "spec")
	if r.Destination.Namespace == "" {
		r.Destination.Name = "" // one fault is enough
	}
	l.rule(o, r)
}

func (l *loader) rule(o *object, r ruleset.Rule) {
	r.Name = o.ref
	l.refer(o, "spec.destinationRef.name", destination.KindDestination, &r.Destination)
	l.Rules = append(l.Rules, r)
}

// ruleFields returns the fields that both kinds of rules have, with resources as those of a
// ResourceRule.
func ruleFields(r *ruleset.Rule, resources func(*ruleset.ResourceRule) fields) fields {
	return fields{
		"rules": sequence(&r.Resources, func(to *ruleset.ResourceRule) decode { return mapping(resources(to)) }),
		"exclude": sequence(&r.Exclude, func(to *ruleset.Exclusion) decode {
			all := resources(&to.ResourceRule)
			all["names"] = sequence(&to.Names, text)
			all["namespaces"] = sequence(&to.Namespaces, text)
			all["objectSelector"] = optional(&to.ObjectSelector, labelSelector)
			all["managers"] = sequence(&to.Managers, text)
			all["secretTypes"] = sequence(&to.SecretTypes, text)
			return mapping(all)
		}),
		"ignore": sequence(&r.Ignore, func(to *ruleset.FieldSelector) decode {
			return mapping(fields{
				"apiGroups":   sequence(&to.APIGroups, text),
				"resources":   sequence(&to.Resources, text),
				"pointers":    sequence(&to.Pointers, text),
				"annotations": sequence(&to.Annotations, text),
				"labels":      sequence(&to.Labels, text),
				"managers":    sequence(&to.Managers, text),
				"subresource": text(&to.Subresource),
			})
		}),
		"sensitive": sequence(&r.Sensitive, func(to *event.SensitiveType) decode {
			return mapping(fields{
				"apiGroups": sequence(&to.APIGroups, text),
				"resources": sequence(&to.Resources, text),
				"pointers":  sequence(&to.Pointers, text),
			})
		}),
		"objectSelector": optional(&r.ObjectSelector, labelSelector),
		"skip":           sequence(&r.Skip, oneOf(ruleset.Presets()...)),
		"keep":           sequence(&r.Keep, oneOf(ruleset.DefaultPresets()...)),
		"skipControlled": boolean(&r.SkipControlled),
		"ignoreManagers": sequence(&r.IgnoreManagers, text),
	}
}

func resourceRule(r *ruleset.ResourceRule) fields {
	return fields{
		"operations":  sequence(&r.Operations, oneOf(event.Create, event.Update, event.Delete, ruleset.AllOperations)),
		"apiGroups":   sequence(&r.APIGroups, text),
		"apiVersions": sequence(&r.APIVersions, text),
		"resources":   sequence(&r.Resources, text),
	}
}

func clusterResourceRule(r *ruleset.ResourceRule) fields {
	all := resourceRule(r)
	all["scope"] = oneOf(ruleset.ClusterScope, ruleset.NamespacedScope, ruleset.AllScopes)(&r.Scope)
	return all
}

func labelSelector(s *metav1.LabelSelector) decode {
	return mapping(fields{
		"matchLabels": dictionary(&s.MatchLabels, text),
		"matchExpressions": sequence(&s.MatchExpressions, func(r *metav1.LabelSelectorRequirement) decode {
			return mapping(fields{"key": text(&r.Key), "operator": text(&r.Operator), "values": sequence(&r.Values, text)}, "key", "operator")
		}),
	})
}

func (l *loader) secret(o *object) {
	var data map[string][]byte
	var plain map[string]string
	o.read(fields{
		"data":       dictionary(&data, secretData),
		"stringData": dictionary(&plain, text),
		"type":       text(new(string)),
		"immutable":  boolean(new(bool)),
	})
	s := make(Secret, len(data)+len(plain))
	maps.Copy(s, data)
	for key, value := range plain {
		s[key] = []byte(value)
	}
	l.Secrets[o.ref] = s
}
