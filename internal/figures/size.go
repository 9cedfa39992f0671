package main

import (
	"go/ast"
	"go/scanner"
	"go/token"
	"regexp"
	"strings"
	"unicode/utf8"
)

// codeLines returns the number of lines that hold at least a part of a token.
func codeLines(text []byte) int {
	fset := token.NewFileSet()
	file := fset.AddFile("", fset.Base(), len(text))
	var s scanner.Scanner
	s.Init(file, text, nil, 0) // without comments
	lines := map[int]bool{}
	for {
		pos, tok, literal := s.Scan()
		if tok == token.EOF {
			return len(lines)
		}
		if literal == "\n" {
			// A semicolon that is not in the text: the scanner inserts it at the end of a line.
			continue
		}
		for line := file.Line(pos); line <= file.Line(pos)+strings.Count(literal, "\n"); line++ {
			lines[line] = true
		}
	}
}

// countFunctions counts the functions of a file.
func (t *tally) countFunctions(fset *token.FileSet, file *ast.File) {
	count := func(name string, n ast.Node) {
		lines := fset.Position(n.End()).Line - fset.Position(n.Pos()).Line + 1
		cyclomatic := complexity(n)
		t.functions++
		t.complexity += cyclomatic
		t.longestFunction.see(lines, name)
		t.mostComplex.see(cyclomatic, name)
	}
	for _, decl := range file.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			count(functionName(d), d)
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				if v, ok := spec.(*ast.ValueSpec); ok {
					outerLiterals(v, func(f *ast.FuncLit) { count(v.Names[0].Name, f) })
				}
			}
		}
	}
}

// outerLiterals calls f with the function literals of a node, except those inside another one.
func outerLiterals(n ast.Node, f func(*ast.FuncLit)) {
	ast.Inspect(n, func(n ast.Node) bool {
		literal, ok := n.(*ast.FuncLit)
		if ok {
			f(literal)
		}
		return !ok
	})
}

// functionName returns Type.method for a method.
func functionName(d *ast.FuncDecl) string {
	if d.Recv == nil {
		return d.Name.Name
	}
	return receiver(d) + "." + d.Name.Name
}

// receiver returns the name of the type that a method belongs to.
func receiver(d *ast.FuncDecl) string {
	for e := d.Recv.List[0].Type; ; {
		switch of := e.(type) {
		case *ast.StarExpr:
			e = of.X
		case *ast.ParenExpr:
			e = of.X
		case *ast.IndexExpr:
			e = of.X
		case *ast.IndexListExpr:
			e = of.X
		case *ast.Ident:
			return of.Name
		default:
			return ""
		}
	}
}

// complexity returns the cyclomatic complexity of a function, with all literals inside it.
func complexity(function ast.Node) int {
	sum := 1
	ast.Inspect(function, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.IfStmt, *ast.ForStmt, *ast.RangeStmt:
			sum++
		case *ast.CaseClause:
			if n.List != nil {
				sum++
			}
		case *ast.CommClause:
			if n.Comm != nil {
				sum++
			}
		case *ast.BinaryExpr:
			if n.Op == token.LAND || n.Op == token.LOR {
				sum++
			}
		}
		return true
	})
	return sum
}

// directive matches a comment that is meant for a tool.
var directive = regexp.MustCompile(`^//(line |extern |export |[a-z0-9]+:[a-z0-9])`)

// commentWidths returns the width of each line that holds a comment, in characters.
func commentWidths(fset *token.FileSet, f goFile) (widths []int) {
	lines := strings.Split(string(f.text), "\n")
	seen := map[int]bool{}
	for _, group := range f.syntax.Comments {
		for _, c := range group.List {
			if directive.MatchString(c.Text) {
				continue
			}
			// Not adjusted by //line directives, since it is the text of this file that is looked
			// at.
			first, last := fset.PositionFor(c.Pos(), false).Line, fset.PositionFor(c.End(), false).Line
			for line := first; line <= last; line++ {
				if !seen[line] {
					seen[line] = true
					widths = append(widths, utf8.RuneCountInString(strings.TrimSuffix(lines[line-1], "\r")))
				}
			}
		}
	}
	return widths
}
