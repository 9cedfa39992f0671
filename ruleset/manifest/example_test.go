package manifest_test

import (
	"errors"
	"fmt"
	"testing/fstest"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/ruleset"
	"github.com/kubescribe/kubescribe/ruleset/manifest"
)

// A command that has no cluster at hand reads its rules from a folder, here from one in memory;
// os.DirFS has those on disk.
func ExampleLoad() {
	folder := fstest.MapFS{"rules.yaml": {Data: []byte(`
apiVersion: configbutler.ai/v1alpha1
kind: GitRepoConfig
metadata: {name: team}
spec: {repoURL: https://git.example/team/config.git}
---
apiVersion: configbutler.ai/v1alpha1
kind: GitDestination
metadata: {name: prod}
spec: {repoRef: {name: team}, branch: main, baseFolder: prod}
---
apiVersion: configbutler.ai/v1alpha1
kind: WatchRule
metadata: {name: config}
spec:
  destinationRef: {name: prod}
  rules: [{apiGroups: [""], resources: [configmaps]}]
`)}}
	config, err := manifest.Load(folder)
	if err != nil {
		fmt.Println(err) // all faults, each with its file and line
		return
	}
	destinations, err := destination.Resolve(config.Repositories, config.Destinations)
	_, faults := ruleset.Compile(destinations, config.Rules...)
	if err := config.Explain(errors.Join(err, faults)); err != nil {
		fmt.Println(err) // in the words of the manifests; what is valid can be used all the same
	}
	for d := range destinations.All() {
		fmt.Println(d.Ref, "is", d.Repository, d.Branch, d.BaseFolder)
	}
	// Output:
	// default/prod is https://git.example/team/config.git main prod
}

// Explain adds file and line to the faults of Resolve and Compile. What is valid works.
func ExampleConfig_Explain() {
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

	config, err := manifest.Load(folder)
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
