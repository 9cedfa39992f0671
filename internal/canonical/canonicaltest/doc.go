// Package canonicaltest sanitises and encodes objects in another way than package canonical does:
// in maps, and through the nodes and the emitter of go.yaml.in/yaml/v3. Tests compare the two.
//
// Sanitize and Encode promise what those of package event promise. Nobody but tests imports them.
package canonicaltest
