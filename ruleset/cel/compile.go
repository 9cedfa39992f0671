package cel

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/google/cel-go/cel"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/version"
	celconfig "k8s.io/apiserver/pkg/apis/cel"
	apiservercel "k8s.io/apiserver/pkg/cel"
	"k8s.io/apiserver/pkg/cel/environment"

	"github.com/kubescribe/kubescribe/ruleset"
)

// What can be wrong with expressions. Match with errors.Is.
var (
	// ErrInvalid means that an expression or its name breaks the rules.
	ErrInvalid = errors.New("invalid")

	// ErrCost means that the evaluation of an expression cost more than the API server would allow.
	ErrCost = errors.New("cost limit exceeded")
)

// maxExpressions is the API server's limit for matchConditions.
const maxExpressions = 64

// Expression is one of a webhook's matchConditions.
type Expression struct {
	// Name is unique among the expressions of a Condition: a qualified name, "exclude-kubelets".
	Name string
	// Expression is in CEL, of type bool.
	Expression string
}

// Error is one fault of one expression.
type Error struct {
	Field string // "[2].Expression"
	Value string // what it holds
	Err   error  // what is wrong; wraps ErrInvalid
}

// Error names the field, its value and the fault.
func (e *Error) Error() string { return fmt.Sprintf("expressions%s %q: %v", e.Field, e.Value, e.Err) }

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// Compile checks the expressions and makes a Condition that holds for an object if all of them do.
// The error joins an *Error for each fault. The Condition may be used in any number of rules,
// concurrently.
func Compile(expressions ...Expression) (ruleset.Condition, error) {
	env, err := environmentOnce()
	if err != nil {
		return nil, fmt.Errorf("cel: environment: %w", err)
	}
	c := compiler{env: env, names: map[string]bool{}}
	if n := len(expressions); n == 0 || n > maxExpressions {
		c.fault("", fmt.Sprint(n), "want 1 to %d expressions", maxExpressions)
		return nil, errors.Join(c.faults...)
	}
	compiled := &condition{expressions: make([]expression, len(expressions))}
	for i, e := range expressions {
		field := fmt.Sprintf("[%d]", i)
		c.name(field+".Name", e.Name)
		compiled.expressions[i] = expression{e.Name, c.program(field+".Expression", e.Expression)}
	}
	if len(c.faults) > 0 {
		return nil, errors.Join(c.faults...)
	}
	return compiled, nil
}

type compiler struct {
	env    *cel.Env
	names  map[string]bool
	faults []error
}

func (c *compiler) fault(field, value, format string, args ...any) {
	c.faults = append(c.faults, &Error{field, value, fmt.Errorf("%w: "+format, append([]any{ErrInvalid}, args...)...)})
}

func (c *compiler) name(field, name string) {
	for _, message := range validation.IsQualifiedName(name) {
		c.fault(field, name, "%s", message)
	}
	if c.names[name] {
		c.fault(field, name, "another expression has this name")
	}
	c.names[name] = true
}

// program returns nil if there is a fault.
func (c *compiler) program(field, text string) cel.Program {
	if strings.TrimSpace(text) == "" {
		c.fault(field, text, "the expression is empty")
		return nil
	}
	ast, issues := c.env.Compile(text)
	if issues != nil {
		c.fault(field, text, "%s", issues)
		return nil
	}
	if !ast.OutputType().IsExactType(cel.BoolType) {
		c.fault(field, text, "must be bool, not %s: compare the value, as in x == true", ast.OutputType())
		return nil
	}
	program, err := c.env.Program(ast, cel.InterruptCheckFrequency(celconfig.CheckFrequency))
	if err != nil {
		c.fault(field, text, "%w", err)
	}
	return program
}

// environmentOnce returns the environment, which takes some milliseconds to make.
var environmentOnce = sync.OnceValues(func() (*cel.Env, error) {
	requestType := newRequestType()
	set, err := environment.MustBaseEnvSet(environment.DefaultCompatibilityVersion()).Extend(environment.VersionedOptions{
		IntroducedVersion: version.MajorMinor(1, 0), // always
		EnvOptions:        []cel.EnvOption{cel.Variable("object", cel.DynType), cel.Variable("request", requestType.CelType())},
		DeclTypes:         []*apiservercel.DeclType{requestType},
	}, environment.StrictCostOpt)
	if err != nil {
		return nil, err
	}
	return set.Env(environment.NewExpressions)
})

func newRequestType() *apiservercel.DeclType {
	object := func(name string, fields map[string]*apiservercel.DeclType) *apiservercel.DeclType {
		declared := make(map[string]*apiservercel.DeclField, len(fields))
		for field, of := range fields {
			declared[field] = apiservercel.NewDeclField(field, of, true, nil, nil)
		}
		return apiservercel.NewObjectType(name, declared)
	}
	text := apiservercel.StringType
	return object("kubescribe.Request", map[string]*apiservercel.DeclType{
		"kind": object("kubescribe.GroupVersionKind", map[string]*apiservercel.DeclType{"group": text, "version": text, "kind": text}),
		"resource": object("kubescribe.GroupVersionResource",
			map[string]*apiservercel.DeclType{"group": text, "version": text, "resource": text}),
		"name":      text,
		"namespace": text,
	})
}
