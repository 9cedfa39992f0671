package main

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"strings"
)

// mutant is one change.
type mutant struct {
	ID     int
	File   string // from the module's root
	Line   int
	Func   string
	Text   string // what is changed
	Change string // what becomes of it
}

// key names a mutant by what it is, not where: lines move.
func (m mutant) key() string {
	return fmt.Sprintf("%s: %s: %s => %s", m.File, m.Func, m.Text, m.Change)
}

// finder finds the mutants of a package and writes their switches.
type finder struct {
	fset   *token.FileSet
	info   *types.Info
	module string // its path
	found  []mutant
	keys   map[string]int

	// Of the file at hand.
	name   string
	source []byte
	edits  *edits
	within []ast.Node // from the declaration down
}

// file finds the mutants of a file and returns its source with their switches.
func (f *finder) file(name string, source []byte, file *ast.File) string {
	f.name, f.source, f.edits = name, source, &edits{}
	for _, decl := range file.Decls {
		if fn, ok := decl.(*ast.FuncDecl); ok && fn.Body != nil {
			ast.Inspect(fn, f.visit)
		}
	}
	return f.edits.apply(source)
}

func (f *finder) visit(n ast.Node) bool {
	if n == nil {
		f.within = f.within[:len(f.within)-1]
		return false
	}
	f.look(n)
	f.within = append(f.within, n)
	return true
}

func (f *finder) look(n ast.Node) {
	switch n := n.(type) {
	case *ast.BlockStmt:
		f.statements(n.List)
	case *ast.CaseClause:
		f.statements(n.Body)
	case *ast.CommClause:
		f.statements(n.Body)
	case *ast.ReturnStmt:
		f.returns(n)
	case *ast.KeyValueExpr:
		f.field(n)
	case *ast.IndexExpr:
		f.bound(n.X, n.Index)
	case *ast.SliceExpr:
		f.bound(n.X, n.Low)
		f.bound(n.X, n.High)
	}
	if e, ok := n.(ast.Expr); ok {
		f.expression(e)
	}
}

// add takes down a mutant of a node and returns its number.
func (f *finder) add(n ast.Node, change string) int {
	position := f.fset.Position(n.Pos())
	text := strings.Join(strings.Fields(string(f.source[f.offset(n.Pos()):f.offset(n.End())])), " ")
	if len(text) > 90 {
		text = text[:90] + "..."
	}
	m := mutant{ID: len(f.found) + 1, File: f.name, Line: position.Line, Func: f.function(), Text: text, Change: change}
	f.keys[m.key()]++
	if same := f.keys[m.key()]; same > 1 {
		m.Change = fmt.Sprintf("%s (%d)", change, same)
	}
	f.found = append(f.found, m)
	return m.ID
}

// wrap makes an expression the argument of a switch.
func (f *finder) wrap(e ast.Expr, change, function string) {
	f.edits.around(f.offset(e.Pos()), f.offset(e.End()), fmt.Sprintf("%s(%d, ", function, f.add(e, change)), ")")
}

func (f *finder) offset(p token.Pos) int { return f.fset.Position(p).Offset }

// function names the declaration that f is in.
func (f *finder) function() string {
	fn := f.within[0].(*ast.FuncDecl)
	if fn.Recv == nil {
		return fn.Name.Name
	}
	of := fn.Recv.List[0].Type
	if star, ok := of.(*ast.StarExpr); ok {
		of = star.X
	}
	switch index := of.(type) {
	case *ast.IndexExpr:
		of = index.X
	case *ast.IndexListExpr:
		of = index.X
	}
	return of.(*ast.Ident).Name + "." + fn.Name.Name
}

func (f *finder) parent() ast.Node { return f.within[len(f.within)-1] }

// results are those of the innermost function.
func (f *finder) results() *types.Tuple {
	for i := len(f.within) - 1; i >= 0; i-- {
		switch fn := f.within[i].(type) {
		case *ast.FuncLit:
			return f.info.TypeOf(fn).(*types.Signature).Results()
		case *ast.FuncDecl:
			return f.info.ObjectOf(fn.Name).Type().(*types.Signature).Results()
		}
	}
	return nil
}
