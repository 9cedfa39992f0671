package ruleset

import (
	"k8s.io/apimachinery/pkg/types"

	"github.com/kubescribe/kubescribe/internal/compiled"
)

// RuleSet is the rules that Compile was given: the valid ones, and what is wrong with the others.
// It never changes and may be used concurrently. The zero RuleSet has no rules.
type RuleSet struct {
	rules  compiled.Rules
	faults map[types.NamespacedName]error
}

// Err returns what is wrong with the rule of this name, one or more *RuleError, joined. It returns
// nil if the rule is valid or was not given.
func (s *RuleSet) Err(name types.NamespacedName) error { return s.faults[name] }

// Compiled is for package event/source, which compares the rules of one RuleSet with those of the
// next. Its result is of an internal package and no part of this API.
func (s *RuleSet) Compiled() *compiled.Rules { return &s.rules }
