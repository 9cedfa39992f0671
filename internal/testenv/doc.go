// Package testenv gives tests a real Kubernetes API server: kube-apiserver and etcd as processes of
// the test, on loopback, in temporary folders, without containers and without root.
//
//	func TestSomething(t *testing.T) {
//		env := testenv.Start(t, nil)
//		client, err := dynamic.NewForConfig(env.Config())
//		...
//	}
//
// The programs come from the folder named by KUBEBUILDER_ASSETS, the convention of
// controller-runtime's envtest. Where it is unset, Start skips the test; `make e2e` builds the
// programs once (module internal/testenv/build) and sets it.
//
// A start takes seconds, so the tests of a package usually share one server, and keep apart by
// namespace:
//
//	var server testenv.Shared
//
//	// Or os.Exit(server.Main(m).Run()).
//	func TestMain(m *testing.M) { goleak.VerifyTestMain(server.Main(m)) }
//
//	func TestSomething(t *testing.T) {
//		env := server.Start(t)
//		...
//	}
//
// SharedGitea is the same for Gitea, a Git forge, in the folder named by KUBESCRIBE_GITEA: `make
// gitea-test`. SSHD is a server of OpenSSH, if the machine has one.
//
// # Guarantees
//
//   - When Start returns, /readyz has answered and the namespaces default and kube-system exist.
//   - When the test, or for Shared the test binary, is over, both processes are gone and their
//     folders removed. On Linux the processes also die with a test binary that is killed or that
//     runs into go test's -timeout; the folders stay.
//   - The servers see nothing of the caller's environment, apart from PATH for those that run Git.
//     Two Envs have nothing in common unless they share an Etcd.
//   - Log tails of the servers are part of the error when a start fails, and are logged when a test
//     fails.
//
// # What is missing
//
// No controllers and no nodes run: Pods are never scheduled, nothing is garbage-collected, deleted
// namespaces stay Terminating, namespaces have no service account and no kube-root-ca.crt.
// Authorization is RBAC, authentication by client certificate.
//
// # Concurrency
//
// The methods of Env, Etcd and Shared may be called concurrently. Tests that stop, restart or
// compact disturb whoever shares the server, and need one of their own.
package testenv
