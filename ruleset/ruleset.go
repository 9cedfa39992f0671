package ruleset

import (
	"sync"

	"k8s.io/apimachinery/pkg/types"

	"github.com/kubescribe/kubescribe/internal/compiled"
)

// RuleSet has the rules that Compile was given: the valid ones, and the faults of the others. It
// never changes and may be used concurrently. The zero RuleSet has no rules.
type RuleSet struct {
	rules  compiled.Rules
	faults map[types.NamespacedName]error
	// presets are those that apply to each rule.
	presets map[types.NamespacedName][]Preset

	ignored sync.Map // of *event.Ignored, by their keys: equal ones are one
	joined  sync.Map // of what both of two leave out, by the two
}

// Err returns the faults of the rule of this name, one or more *RuleError, joined. It returns nil
// if the rule is valid or was not given.
func (s *RuleSet) Err(name types.NamespacedName) error { return s.faults[name] }

// Presets returns the presets that apply to the rule of this name: what it skips, and what is left
// out by default. It returns nil if the rule was not given. The result must not be changed.
func (s *RuleSet) Presets(name types.NamespacedName) []Preset { return s.presets[name] }

// Compiled is no part of this API: its result is of an internal package. Package event/source
// compares the rules of one RuleSet with those of the next by it.
func (s *RuleSet) Compiled() *compiled.Rules { return &s.rules }
