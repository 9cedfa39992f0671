// Package clustertest runs a Kubernetes API server in memory, for tests and demonstrations.
//
// Use it where a fake client is too kind and a real API server too slow. Five names are enough for
// most tests:
//
//	cluster := clustertest.New(nil)
//	defer cluster.Close()
//	err := cluster.Apply(object) // creates or replaces it; cluster.Delete deletes it
//	mirror, err := kubescribe.New(cluster.Config(), nil) // or any other client of Kubernetes
//
// A [Cluster] listens on the loopback interface and speaks the HTTP of the Kubernetes API. So
// client-go's discovery, dynamic and metadata clients, generated clients and informers work on it
// unchanged. [Cluster.Get] and [Cluster.List] look at what is stored. All other methods are listed
// under Faults: few tests need them.
//
// # What it serves
//
// Namespaces, ConfigMaps, Secrets, Services, ServiceAccounts, Deployments, ClusterRoles, Leases,
// Events of both groups, HorizontalPodAutoscalers and FlowSchemas in two versions,
// CustomResourceDefinitions, and every type that a CustomResourceDefinition or [Cluster.AddType]
// declares. The namespaces default, kube-system, kube-public and kube-node-lease exist from the
// start.
//
//   - All types share one resourceVersion counter. A write that changes nothing leaves it alone.
//   - The verbs are create, get, update, patch (merge, strategic as merge, apply), delete,
//     deletecollection, list and watch. There are the status subresource, dry run, generateName,
//     finalizers, and preconditions on uid and resourceVersion.
//   - generation counts changes of the desired state. managedFields names the managers; its
//     fieldsV1 are empty.
//   - All pages of a list show the moment of the first one. A list of a built-in type leaves
//     apiVersion and kind out of its items, as the real server does; a list of a custom type does
//     not.
//   - A watch replays the history from its resourceVersion, or fails with 410. A watch that falls
//     behind the history ends with a 410 event. An object that leaves a selector is a DELETED
//     event.
//   - The deletion of a CustomResourceDefinition deletes its objects, finalizers or not, and ends
//     its watches. The deletion of a namespace first deletes what is in it.
//
// # What it does not do
//
// There is no schema validation, defaulting, conversion, admission, garbage collection or
// authorization. An apply patch creates or merges: it detects no conflict and removes no field.
// Strategic merge patches replace lists. JSON patches, CBOR, and protobuf without [Options].Scheme
// are refused: with 415 as a body, with 406 as the answer that a client wants. A
// CustomResourceDefinition must serve at least one version.
//
// # Order
//
// Where the API promises no order, the order is random: of groups and resources in discovery, of
// the items of a page, and of the fields of an object. [Options].Seed repeats it. Discovery is
// aggregated, as that of all servers since 1.27.
//
// # Faults
//
// What goes wrong with a real cluster can be made to go wrong here, at a moment that the test
// chooses:
//
//   - [Cluster.Fail] decides about each request: an error, a delay, a broken connection, a short
//     page. [Cluster.Requests] counts requests.
//   - [Cluster.ExpireWatches], [Cluster.CutWatches] and [Cluster.Bookmark] act on the running
//     watches, in order with the writes before and after them.
//   - [Cluster.Compact] forgets the history, as etcd does after some minutes. [Cluster.Backup] and
//     [Cluster.Restore] set the clock back, as a restore of etcd does.
//   - [Cluster.AddType], [Cluster.RemoveType] and [Cluster.SetPreferredVersion] change the types,
//     as aggregated API servers and upgrades do.
//   - [Options] has servers that are older, that forget sooner, or that answer in a repeatable
//     order.
//
// # Errors
//
// Errors are those of the API: see k8s.io/apimachinery/pkg/api/errors.
//
// # Concurrency
//
// All methods may be called concurrently. A fault hook may call all of them but Close. Returned
// objects belong to the caller. Close waits for every goroutine that the Cluster started.
package clustertest
