package destination

import (
	"errors"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation"
)

// allNamespaces in AllowedNamespaces stands for every namespace. It is no name of one.
const allNamespaces = "*"

func allowsNamespace(allowed []string, namespace string) bool {
	return slices.Contains(allowed, namespace) || slices.Contains(allowed, allNamespaces)
}

// checkNamespaces checks AllowedNamespaces: a misspelt name or a pattern must not pass for a
// permission that it is not.
func checkNamespaces(kind string, ref Ref, allowed []string) error {
	var faults []error
	for _, namespace := range allowed {
		if namespace != allNamespaces && len(validation.IsDNS1123Label(namespace)) > 0 {
			faults = append(faults, fault(kind, ref, "AllowedNamespaces", namespace,
				invalid(`write the whole name of a namespace as in Kubernetes, or "*" for all`)))
		}
	}
	return errors.Join(faults...)
}
