// Command admissiondiff measures RuleSet.Match beside a linear scan with the API server's own
// admission matcher.
//
//	go -C internal/admissiondiff run . [-smoke] [-json]
//
// Its tests compare the two: a million random rules and objects, and each row of the table of
// differences in docs/rules.md. The module is one of its own, since k8s.io/apiserver brings along
// most of an API server.
package main
