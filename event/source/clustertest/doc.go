// Package clustertest is a Kubernetes API server in memory, for tests and demonstrations.
//
// A [Cluster] listens on loopback and speaks the API's own HTTP, so client-go's discovery, dynamic and metadata clients,
// generated clients, and the watchers of tools/watch work on it unchanged. Tests that do not care about
// HTTP write to the store directly with [Cluster.Apply] and [Cluster.Delete].
//
// # What it serves
//
// Namespaces, ConfigMaps, Secrets, Services, ServiceAccounts, Deployments, ClusterRoles, Leases, Events of both groups,
// HorizontalPodAutoscalers and FlowSchemas in two versions, CustomResourceDefinitions, and every type that a CustomResourceDefinition or [Cluster.AddType] declares. The namespaces
// default, kube-system, kube-public and kube-node-lease exist from the start.
//
//   - One resourceVersion counter for all types. A write that changes nothing leaves it alone.
//   - create, get, update, patch (merge, strategic as merge, apply), delete, deletecollection, list, watch, the status
//     subresource, dry run, generateName, finalizers, uid and resourceVersion preconditions.
//   - generation counts changes of the desired state; managedFields names the managers, with empty fieldsV1.
//   - A list in pages shows one moment: that of its first page. A list of a built-in type leaves apiVersion and kind out
//     of its items, as the real server does; that of a custom type does not.
//   - A watch replays from its resourceVersion or fails with 410; a watch that falls behind the history ends with a 410
//     event. An object that leaves a selector is a DELETED event.
//   - Deleting a CustomResourceDefinition deletes its objects, finalizers or not, and ends its watches. Deleting a
//     namespace deletes what is in it first.
//
// # What it does not do
//
// No schema validation, defaulting, conversion, admission, garbage collection or authorization. An apply patch creates or
// merges: it detects no conflict and removes no field. Strategic merge patches replace lists. JSON patches and CBOR, and
// protobuf without [Options].Scheme, are refused with 415 and 406. A CustomResourceDefinition must serve at least one version.
//
// # Order
//
// What the API gives no order comes in any: groups and resources of discovery, the items of a page, the fields of an
// object. [Options].Seed repeats it. Discovery is aggregated, as that of all servers since 1.27.
//
// # Faults
//
// [Cluster.Fail] lets a test decide per request what goes wrong. [Cluster.ExpireWatches], [Cluster.CutWatches],
// [Cluster.Compact] and [Cluster.Bookmark] act on what runs, in order with the writes before and after them.
// [Cluster.Backup] and [Cluster.Restore] set the clock back, as a restore of etcd does.
//
// # Concurrency
//
// All methods may be called concurrently, those other than Close also from a fault hook. Returned objects belong to the
// caller. Close waits for every goroutine that the Cluster started.
package clustertest
