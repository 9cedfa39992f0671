package e2e

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/stretchr/testify/require"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/yaml"
)

// The checker of the walk shares nothing with the library: it lists by itself, reads the rules by
// itself, encodes with sigs.k8s.io/yaml, and has git list the branches.

// seen is an object as the checker has listed it.
type seen struct {
	walkKey
	labels map[string]string
	blob   string // Git's hash of the file that it should have
}

// file is where an object belongs below a folder.
func (k walkKey) file() string {
	namespace := k.Namespace
	if k.Cluster {
		namespace = "_cluster"
	}
	return namespace + "/" + k.walkType.String() + "/" + k.Name + ".yaml"
}

// keyOf is the inverse of file.
func keyOf(path string) (walkKey, bool) {
	parts := strings.Split(path, "/")
	if len(parts) != 3 {
		return walkKey{}, false
	}
	for _, t := range walkTypes {
		if t.String() == parts[1] {
			k := walkKey{walkType: t, Namespace: parts[0], Name: strings.TrimSuffix(parts[2], ".yaml")}
			if t.Cluster {
				k.Namespace = ""
			}
			return k, true
		}
	}
	return walkKey{}, false
}

// listing lists the whole cluster.
func (w *walk) listing() (objects []seen, namespaceLabels map[string]map[string]string) {
	w.t.Helper()
	namespaceLabels = map[string]map[string]string{}
	for _, t := range walkTypes {
		if !w.served[t] {
			continue
		}
		options := metav1.ListOptions{Limit: 500}
		for more := true; more; more = options.Continue != "" {
			list, err := w.client.Resource(t.gvr()).List(w.t.Context(), options)
			require.NoError(w.t, err)
			for i := range list.Items {
				obj := &list.Items[i]
				if t == walkNamespaces {
					namespaceLabels[obj.GetName()] = obj.GetLabels()
				}
				if obj.GetDeletionTimestamp() != nil {
					continue
				}
				objects = append(objects, seen{walkKey{t, obj.GetNamespace(), obj.GetName()}, obj.GetLabels(), w.blob(obj)})
			}
			options.Continue = list.GetContinue()
		}
	}
	return objects, namespaceLabels
}

type blobKey struct {
	uid     types.UID
	version string
}

// blob returns Git's hash of an object's file. It remembers that of every state.
func (w *walk) blob(obj *unstructured.Unstructured) string {
	w.t.Helper()
	k := blobKey{obj.GetUID(), obj.GetResourceVersion()}
	if hash, ok := w.blobs[k]; ok {
		return hash
	}
	text, err := yaml.Marshal(clean(obj))
	require.NoError(w.t, err)
	sum := sha1.Sum(fmt.Appendf(nil, "blob %d\x00%s", len(text), text))
	w.blobs[k] = hex.EncodeToString(sum[:])
	return w.blobs[k]
}

// clean removes what the library promises to leave out of the types of the walk.
func clean(obj *unstructured.Unstructured) map[string]any {
	out := obj.DeepCopy().Object
	delete(out, "status")
	meta := out["metadata"].(map[string]any)
	for _, name := range []string{"managedFields", "uid", "resourceVersion", "generation", "creationTimestamp", "ownerReferences"} {
		delete(meta, name)
	}
	if annotations, ok := meta["annotations"].(map[string]any); ok {
		delete(annotations, "kubectl.kubernetes.io/last-applied-configuration")
		if len(annotations) == 0 {
			delete(meta, "annotations")
		}
	}
	template, ok, _ := unstructured.NestedMap(out, "spec", "template", "metadata")
	if ok && template["creationTimestamp"] == nil {
		unstructured.RemoveNestedField(out, "spec", "template", "metadata", "creationTimestamp")
	}
	if obj.GetKind() == "Namespace" {
		delete(out, "spec") // its only finalizer is the server's own
		if labels, ok := meta["labels"].(map[string]any); ok {
			delete(labels, "kubernetes.io/metadata.name")
			if len(labels) == 0 {
				delete(meta, "labels")
			}
		}
	}
	return out
}

// wanted is what the folders should hold: destination, file, blob.
func (w *walk) wanted() map[string]map[string]string {
	w.t.Helper()
	objects, namespaceLabels := w.listing()
	wanted := map[string]map[string]string{}
	for dest := range w.rules.Dests {
		files := map[string]string{}
		for _, o := range objects {
			if w.rules.selects(dest, o.walkType, o.Namespace, o.Name, o.labels, namespaceLabels[o.Namespace]) {
				files[o.file()] = o.blob
			}
		}
		wanted[dest] = files
	}
	return wanted
}

// held is what all folders hold: place, file, blob. Ownership files are left out.
func (w *walk) held() map[walkDest]map[string]string {
	w.t.Helper()
	held := map[walkDest]map[string]string{}
	for i := range walkDests {
		for _, place := range walkPlaces(destName(i)) {
			held[place] = map[string]string{}
		}
	}
	for _, branch := range w.repo.Branches() {
		for path, entry := range w.repo.List(branch) {
			parts := strings.SplitN(path, "/", 3)
			require.Len(w.t, parts, 3, "a file outside of every folder: %s", path)
			files := held[walkDest{branch, parts[0] + "/" + parts[1]}]
			require.NotNil(w.t, files, "a file outside of every folder: %s", path)
			if parts[2] != ".kubescribe" {
				files[parts[2]] = entry.Hash
			}
		}
	}
	return held
}

// differences says what is not as it should be. Files of what no rule covers are no difference;
// their number is returned.
func (w *walk) differences(wanted map[string]map[string]string, held map[walkDest]map[string]string) (faults []string, uncovered int) {
	for _, dest := range slices.Sorted(maps.Keys(w.rules.Dests)) {
		place := w.rules.Dests[dest]
		files := held[place]
		for path, blob := range wanted[dest] {
			switch have, ok := files[path]; {
			case !ok:
				faults = append(faults, w.explain("missing", place, path))
			case have != blob:
				faults = append(faults, w.explain("old", place, path))
			}
		}
		for path := range files {
			k, ok := keyOf(path)
			switch {
			case hasKey(wanted[dest], path):
			case ok && (!w.served[k.walkType] || !w.rules.covers(dest, k.walkType, k.Namespace)):
				uncovered++
			default:
				faults = append(faults, w.explain("left over", place, path))
			}
		}
	}
	slices.Sort(faults)
	return faults, uncovered
}

func (w *walk) explain(what string, place walkDest, path string) string {
	k, _ := keyOf(path)
	return fmt.Sprintf("%s: %s %s/%s, which had: %s", what, place.Branch, place.Folder, path, strings.Join(w.history[k], ", "))
}

// judge looks at what was deleted since the last quiet point, and at folders that no destination
// had meanwhile.
func (w *walk) judge(held map[walkDest]map[string]string) {
	w.t.Helper()
	var faults []string
	for _, branch := range w.repo.Branches() {
		since := w.tips[branch]
		tip, _ := w.repo.Tip(branch)
		switch since {
		case tip:
			continue
		case "":
			since = tip
			w.repo.Linear(branch, strings.Fields(w.repo.Git("rev-list", "--max-parents=0", tip))[0])
		default:
			w.repo.Linear(branch, since)
		}
		log := w.repo.Git("log", "--no-renames", "--diff-filter=D", "--name-only", "--format=", since+".."+tip)
		for path := range strings.Lines(log) {
			if path = strings.TrimSpace(path); path == "" {
				continue
			}
			parts := strings.SplitN(path, "/", 3)
			place := walkDest{branch, parts[0] + "/" + parts[1]}
			if why := w.mistaken(parts[1], place, parts[2]); why != "" {
				faults = append(faults, w.explain("deleted by mistake, since "+why, place, parts[2]))
			}
		}
	}
	for place, files := range held {
		_, dest, _ := strings.Cut(place.Folder, "/")
		nobody := !slices.ContainsFunc(w.rulesSeen, func(r walkRules) bool { return r.Dests[dest] == place })
		if nobody && w.before != nil && !maps.Equal(files, w.before[place]) && !w.cameWithItsBranch(place) {
			faults = append(faults, fmt.Sprintf("%v was changed though it belongs to nobody", place))
		}
	}
	w.noFaults(faults)
}

// cameWithItsBranch reports whether a folder is as it was in the branch main when its own branch
// began there since the last quiet point: a missing branch starts with all files of the default
// branch.
func (w *walk) cameWithItsBranch(place walkDest) bool {
	if w.tips[place.Branch] != "" || place.Branch == "main" {
		return false
	}
	began := strings.TrimSpace(w.repo.Git("merge-base", "main", place.Branch))
	return w.repo.Git("diff", "--name-only", began, place.Branch, "--", place.Folder) == ""
}

// mistaken tells why the deletion of a file was wrong: whatever the Mirror knew at any time since
// the last quiet point, it did not speak for it.
func (w *walk) mistaken(dest string, place walkDest, path string) string {
	k, ok := keyOf(path)
	if !ok {
		return "it is no file of an object"
	}
	labels := w.namespacesSeen[k.Namespace]
	if k.Cluster {
		labels = []map[string]string{nil}
	}
	obj := w.objects[k]
	lives := obj != nil && obj.GetDeletionTimestamp() == nil && hasKey(w.before[place], path) && !w.touched[k] && !w.touchedTypes[k.walkType]
	uncovered := true // all the time
	for _, rules := range w.rulesSeen {
		switch {
		case rules.Dests[dest] != place:
			return "" // it went with another place, perhaps
		case !rules.covers(dest, k.walkType, k.Namespace):
			continue // so it stays as it is
		}
		uncovered = uncovered && !slices.Contains(w.servedSeen[k.walkType], true)
		for _, l := range labels {
			lives = lives && rules.selects(dest, k.walkType, k.Namespace, k.Name, obj.GetLabels(), l)
		}
	}
	switch {
	case uncovered:
		return "no rule covers it"
	case lives:
		return "its object is as it was, and selected by the rules that cover it"
	}
	return ""
}

func (w *walk) noFaults(faults []string) {
	w.t.Helper()
	if len(faults) == 0 {
		return
	}
	require.FailNow(w.t, "the branches are wrong", "%d faults at operation %d; events since the last quiet point:\n%s\nfaults:\n%s",
		len(faults), w.count, strings.Join(w.said, "\n"), strings.Join(faults[:min(len(faults), 30)], "\n"))
}
