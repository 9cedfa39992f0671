// Package yamldiff compares what readers of YAML make of the files that the library writes.
//
//	go -C internal/yamldiff test ./...
//
// The readers written in Go are always asked: go.yaml.in/yaml/v3 (YAML 1.2), sigs.k8s.io/yaml (YAML
// 1.1, what Kubernetes reads with) and github.com/goccy/go-yaml. PyYAML with and without libyaml,
// ruamel.yaml, Perl's YAML::XS, and the packages yaml and js-yaml for Node are asked where they are
// installed; Node looks below NODE_PATH for its own. KUBESCRIBE_SOAK=1 asks about more than ten
// times as many texts.
//
// The module is one of its own, so that no user of the library sees the readers.
package yamldiff
