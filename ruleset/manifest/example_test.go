package manifest_test

import (
	"errors"
	"fmt"
	"testing/fstest"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/ruleset"
	"github.com/kubescribe/kubescribe/ruleset/manifest"
)

// A program without custom resources reads a folder, resolves its destinations and compiles its
// rules. Explain adds file and line to the faults.
func Example() {
	folder := fstest.MapFS{"mirror.yaml": {Data: []byte(`
apiVersion: configbutler.ai/v1alpha1
kind: GitRepoConfig
metadata: {name: config}
spec:
  repoURL: https://git.example.com/platform/config
  allowedBranches: ["main"]
---
apiVersion: configbutler.ai/v1alpha1
kind: GitDestination
metadata: {name: prod}
spec:
  repoRef: {name: config}
  branch: main
  baseFolder: clusters/prod
---
apiVersion: configbutler.ai/v1alpha1
kind: GitDestination
metadata: {name: test}
spec:
  repoRef: {name: config}
  branch: test
---
apiVersion: configbutler.ai/v1alpha1
kind: WatchRule
metadata: {name: workloads}
spec:
  destinationRef: {name: prod}
  rules:
    - apiGroups: ["apps"]
      resources: ["deployments", "statefulsets"]
`)}}

	config, err := manifest.Load(folder) // os.DirFS("rules") in a program
	if err != nil {
		fmt.Println(err)
		return
	}
	set, resolveErr := destination.Resolve(config.Repositories, config.Destinations)
	rules, compileErr := ruleset.Compile(set, config.Rules...)
	if err := config.Explain(errors.Join(resolveErr, compileErr)); err != nil {
		fmt.Println(err) // what is valid works nevertheless
	}
	for d := range set.All() {
		fmt.Println(d)
	}
	for _, r := range config.Rules {
		fmt.Println("rule", r.Name, "is valid:", rules.Err(r.Name) == nil)
	}
	// Output:
	// mirror.yaml:22: GitDestination default/test: spec.branch: branch not allowed: GitRepoConfig default/config allows ["main"] ("test")
	// default/prod (https://git.example.com/platform/config#main:clusters/prod)
	// rule default/workloads is valid: true
}
