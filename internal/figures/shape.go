package main

import (
	"cmp"
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
	type lock struct {
		object types.Object
		sites  int
		files  map[string]bool
	}
	var locks []*lock // in the order of the sources, so that ties are always decided alike
	for _, f := range p.files {
		for _, method := range p.taken(f.syntax) {
			s.inFile[f.name]++
			object := p.lockOf(method)
			if object == nil {
				continue
			}
			i := slices.IndexFunc(locks, func(l *lock) bool { return l.object == object })
			if i < 0 {
				i = len(locks)
				locks = append(locks, &lock{object: object, files: map[string]bool{}})
			}
			locks[i].sites++
			locks[i].files[f.name] = true
		}
	}
	names := p.fieldNames()
	for _, l := range locks {
		name := cmp.Or(names[l.object], l.object.Name())
		if len(l.files) > 1 {
			name = fmt.Sprintf("%s in %d files", name, len(l.files))
		}
		s.busiest.see(l.sites, name)
	}
	return s
}

// taken returns what is called, at each lock site of a file.
func (p *goPackage) taken(file *ast.File) (methods []*ast.SelectorExpr) {
	ast.Inspect(file, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			if method, ok := ast.Unparen(call.Fun).(*ast.SelectorExpr); ok {
				f, ok := p.info.Uses[method.Sel].(*types.Func)
				if ok && slices.Contains(taking, f.FullName()) {
					methods = append(methods, method)
				}
			}
		}
		return true
	})
	return methods
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
