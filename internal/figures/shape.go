package main

import (
	"fmt"
	"go/ast"
	"go/types"
	"slices"
)

// countExported counts what a file exports. Methods and fields count with their type only if that
// is exported.
func (t *tally) countExported(file *ast.File) {
	for _, decl := range file.Decls {
		switch d := decl.(type) {
		case *ast.FuncDecl:
			switch {
			case !d.Name.IsExported():
			case d.Recv == nil:
				t.names++
			case ast.IsExported(receiver(d)):
				t.methods++
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch s := spec.(type) {
				case *ast.ValueSpec:
					t.names += exportedOf(s.Names)
				case *ast.TypeSpec:
					t.countType(s)
				}
			}
		}
	}
}

func (t *tally) countType(s *ast.TypeSpec) {
	if !s.Name.IsExported() {
		return
	}
	t.names++
	switch of := s.Type.(type) {
	case *ast.StructType:
		for _, field := range of.Fields.List {
			if len(field.Names) == 0 && ast.IsExported(embedded(field.Type)) {
				t.fields++
			}
			t.fields += exportedOf(field.Names)
		}
	case *ast.InterfaceType:
		for _, method := range of.Methods.List {
			t.methods += exportedOf(method.Names)
		}
	}
}

// exportedOf returns the number of exported names.
func exportedOf(names []*ast.Ident) (n int) {
	for _, name := range names {
		if name.IsExported() {
			n++
		}
	}
	return n
}

// embedded returns the name of an embedded field.
func embedded(e ast.Expr) string {
	switch of := e.(type) {
	case *ast.StarExpr:
		return embedded(of.X)
	case *ast.IndexExpr:
		return embedded(of.X)
	case *ast.IndexListExpr:
		return embedded(of.X)
	case *ast.SelectorExpr:
		return of.Sel.Name
	case *ast.Ident:
		return of.Name
	}
	return ""
}

// taking holds the methods of the sync package that take a lock.
var taking = []string{
	"(*sync.Mutex).Lock", "(*sync.Mutex).TryLock",
	"(*sync.RWMutex).Lock", "(*sync.RWMutex).TryLock", "(*sync.RWMutex).RLock", "(*sync.RWMutex).TryRLock",
	"(sync.Locker).Lock",
}

// sites are the places where a package takes locks.
type sites struct {
	inFile  map[string]int
	busiest most
}

// lockSites finds the places where a package takes locks.
func lockSites(p *goPackage) sites {
	s := sites{inFile: map[string]int{}}
	counts := map[types.Object]int{}
	files := map[types.Object]map[string]bool{}
	var locks []types.Object // in the order in which they come, so that ties are always decided alike
	for _, f := range p.files {
		ast.Inspect(f.syntax, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			sel, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr)
			if !ok {
				return true
			}
			method, ok := p.info.Uses[sel.Sel].(*types.Func)
			if !ok || !slices.Contains(taking, method.FullName()) {
				return true
			}
			s.inFile[f.name]++
			if lock := p.lockOf(sel); lock != nil {
				if files[lock] == nil {
					files[lock] = map[string]bool{}
					locks = append(locks, lock)
				}
				counts[lock]++
				files[lock][f.name] = true
			}
			return true
		})
	}
	names := p.fieldNames()
	for _, lock := range locks {
		name := lock.Name()
		if qualified, ok := names[lock]; ok {
			name = qualified
		}
		s.busiest.see(counts[lock], fmt.Sprintf("%s in %d files", name, len(files[lock])))
	}
	return s
}

// lockOf returns the field or variable whose method is selected, or nil if the lock has no name.
func (p *goPackage) lockOf(method *ast.SelectorExpr) types.Object {
	if s := p.info.Selections[method]; s != nil && len(s.Index()) > 1 {
		return lastEmbedded(s) // such as s.Lock() of a struct that embeds the mutex
	}
	var lock types.Object
	switch x := ast.Unparen(method.X).(type) {
	case *ast.Ident:
		lock = p.info.Uses[x]
	case *ast.SelectorExpr:
		lock = p.info.Uses[x.Sel]
	}
	if v, ok := lock.(*types.Var); ok {
		return v.Origin()
	}
	return nil
}

// lastEmbedded returns the embedded field through which a method is promoted.
func lastEmbedded(s *types.Selection) types.Object {
	var field *types.Var
	at := s.Recv()
	for _, i := range s.Index()[:len(s.Index())-1] {
		if pointer, ok := at.Underlying().(*types.Pointer); ok {
			at = pointer.Elem()
		}
		field = at.Underlying().(*types.Struct).Field(i)
		at = field.Type()
	}
	return field.Origin()
}

// fieldNames returns Type.field for each field of the package's struct types.
func (p *goPackage) fieldNames() map[types.Object]string {
	names := map[types.Object]string{}
	for _, name := range p.types.Scope().Names() {
		of, ok := p.types.Scope().Lookup(name).(*types.TypeName)
		if !ok || of.IsAlias() {
			continue
		}
		if s, ok := of.Type().Underlying().(*types.Struct); ok {
			for field := range s.Fields() {
				names[field] = name + "." + field.Name()
			}
		}
	}
	return names
}
