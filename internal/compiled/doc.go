// Package compiled holds the rules of a RuleSet as data, once they are checked.
//
// Package ruleset makes it: Compile fills Rules, Match and Watches read it. Package event/source
// asks it what only a source of events has to know: which objects must be matched again after the
// rules or the labels of a namespace have changed, and whether a rule asks for a collection at all.
//
// Nothing here looks at an object, reports a fault or talks to a server. Rules and all that they
// hold are never changed once Compile has returned, and may be used concurrently.
package compiled
