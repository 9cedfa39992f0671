package main

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"strings"
)

// statements leaves out one after the other.
func (f *finder) statements(list []ast.Stmt) {
	for _, s := range list {
		if f.removable(s) {
			f.edits.around(f.offset(s.Pos()), f.offset(s.End()), fmt.Sprintf("if !mutantOn(%d) { ", f.add(s, "left out")), " }")
		}
	}
}

func (f *finder) removable(s ast.Stmt) bool {
	switch s := s.(type) {
	case *ast.ExprStmt:
		call, ok := s.X.(*ast.CallExpr)
		return ok && !f.ignored(call)
	case *ast.AssignStmt:
		for _, to := range s.Lhs {
			if name, ok := to.(*ast.Ident); !ok || name.Name != "_" {
				return s.Tok != token.DEFINE
			}
		}
		return false
	case *ast.BranchStmt:
		return s.Tok == token.BREAK || s.Tok == token.CONTINUE
	case *ast.ReturnStmt:
		return len(s.Results) == 0 && f.results().Len() == 0
	case *ast.IncDecStmt, *ast.SendStmt:
		return true
	}
	return false
}

// ignored tells calls that nothing but a log or a race would miss.
func (f *finder) ignored(call *ast.CallExpr) bool {
	switch fun := call.Fun.(type) {
	case *ast.Ident:
		return fun.Name == "panic"
	case *ast.SelectorExpr:
		method := f.info.Selections[fun]
		if method == nil || method.Obj().Pkg() == nil {
			return false
		}
		switch method.Obj().Pkg().Path() {
		case "sync":
			return strings.HasSuffix(fun.Sel.Name, "ock")
		case "github.com/go-logr/logr":
			return true
		}
	}
	return false
}

// logs tells an if of which nothing but a log would be missed.
func (f *finder) logs(s *ast.IfStmt) bool {
	for _, s := range s.Body.List {
		e, ok := s.(*ast.ExprStmt)
		if !ok || f.removable(e) {
			return false
		}
	}
	return s.Else == nil
}

// expression changes what an expression says.
func (f *finder) expression(e ast.Expr) {
	tv, ok := f.info.Types[e]
	if !ok || !tv.IsValue() {
		return
	}
	if tv.Value != nil {
		f.constant(e, tv)
		return
	}
	if isBool(tv.Type) && !isLogic(f.parent()) {
		f.condition(e)
	}
	switch e := e.(type) {
	case *ast.BinaryExpr:
		f.binary(e)
	case *ast.CallExpr:
		f.extreme(e)
	}
}

func isBool(t types.Type) bool {
	return types.Identical(t, types.Typ[types.Bool]) || types.Identical(t, types.Typ[types.UntypedBool])
}

func isLogic(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.ParenExpr:
		return true
	case *ast.UnaryExpr:
		return n.Op == token.NOT
	case *ast.BinaryExpr:
		return n.Op == token.LAND || n.Op == token.LOR
	}
	return false
}

// condition changes a bool that is no part of a larger one. That all of a && b is true needs no
// mutant: a test that kills the one without a, kills it, too.
func (f *finder) condition(e ast.Expr) {
	op := logicOf(e)
	decides, loops := false, false
	switch parent := f.parent().(type) {
	case *ast.IfStmt:
		if f.logs(parent) {
			return
		}
		decides = true
	case *ast.CaseClause, *ast.ReturnStmt:
		decides = true
	case *ast.ForStmt:
		decides, loops = true, parent.Cond == e
	}
	if !decides && op == token.ILLEGAL {
		return
	}
	if op != token.LAND && !loops {
		f.wrap(e, "true", "mutantTrue")
	}
	if op != token.LOR {
		f.wrap(e, "false", "mutantFalse")
	}
	f.operands(e)
}

// operands leaves out those of && and ||.
func (f *finder) operands(e ast.Expr) {
	switch e := e.(type) {
	case *ast.ParenExpr:
		f.operands(e.X)
	case *ast.UnaryExpr:
		if e.Op == token.NOT {
			f.operands(e.X)
		}
	case *ast.BinaryExpr:
		if e.Op != token.LAND && e.Op != token.LOR {
			return
		}
		for _, operand := range []ast.Expr{e.X, e.Y} {
			if logicOf(operand) != e.Op {
				if e.Op == token.LAND {
					f.wrap(operand, "left out of &&", "mutantTrue")
				} else {
					f.wrap(operand, "left out of ||", "mutantFalse")
				}
			}
			f.operands(operand)
		}
	}
}

// logicOf returns the operator of a bool expression that has one.
func logicOf(e ast.Expr) token.Token {
	switch e := e.(type) {
	case *ast.ParenExpr:
		return logicOf(e.X)
	case *ast.BinaryExpr:
		return e.Op
	case *ast.UnaryExpr:
		if e.Op == token.NOT { // of a select's case nothing may be left but what it receives
			return e.Op
		}
	}
	return token.ILLEGAL
}

var swaps = map[token.Token]struct{ function, change string }{
	token.LSS: {"mutantLt", "<="}, token.LEQ: {"mutantLe", "<"}, token.GTR: {"mutantGt", ">="}, token.GEQ: {"mutantGe", ">"},
	token.ADD: {"mutantAdd", "-"}, token.SUB: {"mutantSub", "+"},
}

func (f *finder) binary(e *ast.BinaryExpr) {
	swap, ok := swaps[e.Op]
	if !ok || !ordered(f.info.TypeOf(e.X)) || !ordered(f.info.TypeOf(e.Y)) {
		return
	}
	if basic := f.info.TypeOf(e.X).Underlying().(*types.Basic); basic.Info()&types.IsString != 0 && e.Op == token.ADD {
		return
	}
	id := f.add(e, swap.change)
	f.edits.around(f.offset(e.Pos()), f.offset(e.End()), fmt.Sprintf("%s(%d, ", swap.function, id), ")")
	f.edits.replace(f.offset(e.OpPos), f.offset(e.OpPos)+len(e.Op.String()), ",")
}

func ordered(t types.Type) bool {
	basic, ok := t.Underlying().(*types.Basic)
	return ok && basic.Info()&types.IsOrdered != 0
}

// extreme changes min and max.
func (f *finder) extreme(call *ast.CallExpr) {
	fun, ok := call.Fun.(*ast.Ident)
	if !ok || len(call.Args) != 2 || !ordered(f.info.TypeOf(call)) {
		return
	}
	if _, ok := f.info.Uses[fun].(*types.Builtin); !ok {
		return
	}
	switch fun.Name {
	case "min":
		f.call(call, fun, "max", "mutantMin")
	case "max":
		f.call(call, fun, "min", "mutantMax")
	}
}

func (f *finder) call(call *ast.CallExpr, fun *ast.Ident, change, function string) {
	f.edits.replace(f.offset(fun.Pos()), f.offset(call.Lparen)+1, fmt.Sprintf("%s(%d, ", function, f.add(call, change)))
}

// constant changes true and false where they are results, arguments or fields, or the first value
// of a variable.
func (f *finder) constant(e ast.Expr, tv types.TypeAndValue) {
	name, ok := e.(*ast.Ident)
	if !ok || !isBool(tv.Type) || name.Name != "true" && name.Name != "false" {
		return
	}
	switch parent := f.parent().(type) {
	case *ast.ReturnStmt, *ast.CallExpr:
	case *ast.KeyValueExpr:
		if parent.Value != e {
			return
		}
	case *ast.AssignStmt:
		if parent.Tok != token.DEFINE {
			return
		}
	default:
		return
	}
	f.wrap(e, "the other", "mutantNot")
}

// returns changes errors to nil, and literal numbers.
func (f *finder) returns(s *ast.ReturnStmt) {
	results := f.results()
	if len(s.Results) != results.Len() {
		return
	}
	for i, e := range s.Results {
		tv := f.info.Types[e]
		switch t := results.At(i).Type(); {
		case types.Identical(t, types.Universe.Lookup("error").Type()) && !tv.IsNil():
			f.wrap(e, "nil", "mutantNil")
		case types.Identical(t, types.Typ[types.Int]):
			f.literal(e)
		}
	}
}

func (f *finder) bound(of, e ast.Expr) {
	if e == nil {
		return
	}
	switch f.info.TypeOf(of).Underlying().(type) {
	case *types.Slice, *types.Array, *types.Basic, *types.Pointer:
		f.literal(e)
	}
}

func (f *finder) literal(e ast.Expr) {
	if lit, ok := e.(*ast.BasicLit); ok && lit.Kind == token.INT {
		f.wrap(e, "one more", "mutantNext")
	}
}

// field leaves out a field of a struct of the module.
func (f *finder) field(kv *ast.KeyValueExpr) {
	literal, ok := f.parent().(*ast.CompositeLit)
	if !ok {
		return
	}
	t := f.info.TypeOf(literal)
	if p, ok := t.Underlying().(*types.Pointer); ok { // in a list of pointers
		t = p.Elem()
	}
	named, ok := t.(*types.Named)
	if !ok || named.Obj().Pkg() == nil || !strings.HasPrefix(named.Obj().Pkg().Path(), f.module) {
		return
	}
	if _, ok := named.Underlying().(*types.Struct); !ok {
		return
	}
	of, ok := f.info.Uses[kv.Key.(*ast.Ident)]
	tv := f.info.Types[kv.Value]
	if !ok || tv.IsNil() || !types.Identical(of.Type(), tv.Type) {
		return
	}
	if _, isFunc := kv.Value.(*ast.FuncLit); isFunc || tv.Value != nil && isBool(tv.Type) {
		return
	}
	if tv.Value != nil {
		if basic, ok := tv.Type.(*types.Basic); !ok || basic.Kind() != types.Int && basic.Kind() != types.String {
			return
		}
	}
	f.wrap(kv.Value, "no such field", "mutantZero")
}
