// Package manifest reads the rules, destinations and repositories of kubescribe from a folder of
// YAML files. Use it where there is no cluster with the custom resources, as in a test or a small
// program:
//
//   - Load reads and checks the folder, and returns a Config.
//   - Config.Repositories, Destinations and Rules are what destination.Resolve and ruleset.Compile
//     take.
//   - Config.Explain adds file and line to the errors of these two.
//
// It does not talk to a cluster, and does not watch the folder: load it again when it has changed.
//
// # Kinds
//
//	GitRepoConfig     configbutler.ai/v1alpha1  a destination.Repository, credentials, a Push
//	GitDestination    configbutler.ai/v1alpha1  a destination.Spec, its orphan.Options and layout
//	WatchRule         configbutler.ai/v1alpha1  a ruleset.Rule for its own namespace
//	ClusterWatchRule  configbutler.ai/v1alpha1  a ruleset.Rule without a namespace
//	Secret            v1                        what the secretRef of a GitRepoConfig may name
//
// Every field, with optional ones in brackets:
//
//	GitRepoConfig.spec:     repoURL, [allowedBranches], [allowedNamespaces], [secretRef.name],
//	                        [push.interval], [push.maxCommits]
//	GitDestination.spec:    repoRef.name, [repoRef.namespace], branch, [baseFolder],
//	                        [allowedNamespaces], [orphans.policy], [orphans.maxFiles], [layout],
//	                        [kustomization]
//	WatchRule.spec:         destinationRef.name, [destinationRef.namespace], rules,
//	                        [objectSelector], [exclude], [ignore], [sensitive], [skip], [keep],
//	                        [skipControlled], [ignoreManagers]
//	ClusterWatchRule.spec:  the same with destinationRef.namespace and [namespaceSelector]
//	rules[]:                [operations], [apiGroups], [apiVersions], [resources],
//	                        of a ClusterWatchRule also [scope]
//	exclude[]:              those of rules[], and [names], [namespaces], [objectSelector],
//	                        [managers], [secretTypes]
//	ignore[]:               [apiGroups], [resources], [pointers], [annotations], [labels],
//	                        [managers], [subresource]
//	sensitive[]:            [apiGroups], [resources], [pointers]
//	Secret:                 [data], [stringData], [type], [immutable]
//	metadata:               name, [namespace], [labels], [annotations]
//
// push.interval, "10s" as in time.ParseDuration, is the least time between two pushes and more than
// 0. push.maxCommits is at least 1. orphans.maxFiles is at least 1, or -1 for no limit. skip lists
// presets, keep those that are not to apply by default: ruleset.Presets and DefaultPresets. layout
// is default, by-type, flat/NAMESPACE or a template, as event.ParseLayout reads it. kustomization:
// true keeps a kustomization.yaml in each folder. encryption names the Secret with the identities
// of age that open what is sensitive, and more recipients.
//
// A note behind a branch is left out if the branch is not in quotes. It is set off by spaces and an
// arrow instead of "#": "branch: main ← production" means main.
//
// # Files
//
// Load reads every file that ends with .yaml, .yml or .json, at any depth, in the byte order of the
// paths. A file may hold many documents. Files and folders whose name begins with "." are left out,
// and links to folders are not followed: so a mounted ConfigMap or Secret, whose files are links
// into a hidden folder, is read once. JSON is read as YAML, which knows neither \/ nor surrogate
// pairs in strings.
//
// # Limits
//
// A file is a regular one, or a link to one, of at most 1 MiB. A folder holds at most 10,000 files
// and folders. Load does not open pipes, sockets and devices: it names them as faults.
//
// # Namespaces
//
// A manifest without metadata.namespace is in the namespace "default"; a ClusterWatchRule is in
// none. A reference without a namespace means the namespace of the manifest that it stands in. A
// secretRef has no other. A GitDestination reaches a GitRepoConfig of another namespace, and a
// WatchRule a GitDestination of another, only if that one's allowedNamespaces have the namespace,
// or "*": destination.Resolve and ruleset.Compile check it. A ClusterWatchRule reaches all.
//
// # Strictness
//
// Unknown fields, fields that are there twice, values of another type, missing required fields,
// other kinds, a second object of one name, and references to what the folder does not hold are
// faults. Only the Secret of a secretRef may be elsewhere, in the cluster. A field that is null is
// absent, as in Kubernetes. YAML aliases and merge keys are refused: each value has one line.
//
// # Errors
//
// All faults of all files are reported at once. Each is an *Error that begins with file:line and
// names the object, the field and, unless it could be a secret, the value. Config.Explain does the
// same for what destination.Resolve and ruleset.Compile find. Data of Secrets is in no error, and
// fmt and encoding/json do not print it.
package manifest
