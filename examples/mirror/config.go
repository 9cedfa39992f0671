package main

import (
	"errors"
	"fmt"
	"os"
	"slices"

	"github.com/kubescribe/kubescribe/ruleset"
	"github.com/kubescribe/kubescribe/ruleset/manifest"
)

// load reads the manifests. A folder by which nothing would be written is a fault: it would read as
// in sync.
func (f *flags) load() (*manifest.Config, error) {
	if _, err := os.Stat(f.config); err != nil {
		return nil, fmt.Errorf("--config: %w", err) // it names the folder
	}
	m, err := manifest.Load(os.DirFS(f.config))
	if err != nil {
		return nil, err
	}
	if len(m.Destinations) == 0 {
		return nil, fmt.Errorf("--config %s: there is no GitDestination, so there is nothing to write", f.config)
	}
	return m, nil
}

// unused returns a fault for each destination that no rule leads to.
func unused(m *manifest.Config) error {
	var faults []error
	for _, d := range m.Destinations {
		if !slices.ContainsFunc(m.Rules, func(r ruleset.Rule) bool { return r.Destination == d.Ref }) {
			faults = append(faults, fmt.Errorf("GitDestination %s: no WatchRule and no ClusterWatchRule leads to it", d.Ref))
		}
	}
	return errors.Join(faults...)
}

// names returns the destinations as the log shows them.
func names(m *manifest.Config) (names []string) {
	for _, d := range m.Destinations {
		names = append(names, d.Ref.String())
	}
	return names
}
