// Package cel makes a ruleset.Condition of CEL expressions, in the form of the matchConditions of
// an admission webhook. Beside github.com/google/cel-go/cel, import it as kscel.
//
// It is a module of its own, since it needs k8s.io/apiserver, whose CEL environment and cost limits
// it uses. Users without CEL do not build that.
//
// # Expressions
//
// All expressions have to hold. What they may look at:
//
//	object     the object in its newest state, as the API server sent it, with all its fields
//	request    kind and resource (group, version, kind or resource), name, namespace
//
// The functions are those of the API server in the version of this module's k8s.io/apiserver, at
// its compatibility level. There is no oldObject, no request.operation and no userInfo: whether an
// object is wanted must not depend on how it came to be, since nobody can tell after a restart. For
// labels of the namespace, use the rule's NamespaceSelector.
//
// # Limits
//
// As in the API server: 64 expressions, a cost of 1,000,000 for each (about 0.1 s), and of
// 2,500,000 for all of them on one object.
//
// # Errors
//
// Compile reports every fault of every expression, each an *Error. An expression that fails, as
// object.spec.x does where there is no such field, or that costs too much leaves the Condition
// undecided, unless another one says false: see ruleset.Match.Err. Test for a field with
// has(object.spec.x), or write object.?spec.?x.orValue("") == "a".
package cel
