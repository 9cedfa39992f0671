package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// goPackage is what go list says of a package.
type goPackage struct {
	Dir, ImportPath, Name, Export      string
	GoFiles, TestGoFiles, XTestGoFiles []string
	DepOnly                            bool
	Module                             *struct{ Path, Dir string }
}

// subject is a package whose code is changed.
type subject struct {
	goPackage
	mutants []mutant
	overlay string // the file for go's -overlay
	source  string // hash of what is compiled of it, and of this program
}

//go:embed switch.go.txt
var switches string

// newSubject writes the package's code with all its mutants into a folder.
func newSubject(ctx context.Context, dir, scratch string) (*subject, error) {
	deps, err := list(ctx, dir)
	if err != nil {
		return nil, err
	}
	exports := map[string]string{}
	s := &subject{}
	for _, p := range deps {
		exports[p.ImportPath] = p.Export
		if !p.DepOnly {
			s.goPackage = p
		}
	}
	f := &finder{fset: token.NewFileSet(), module: s.Module.Path, keys: map[string]int{}}
	var files []*ast.File
	var sources [][]byte
	for _, name := range s.GoFiles {
		source, err := os.ReadFile(filepath.Join(s.Dir, name))
		if err != nil {
			return nil, err
		}
		file, err := parser.ParseFile(f.fset, filepath.Join(s.Dir, name), source, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		files, sources = append(files, file), append(sources, source)
	}
	if f.info, err = check(f.fset, s.ImportPath, files, exports); err != nil {
		return nil, err
	}
	replace := map[string]string{}
	for i, file := range files {
		path := filepath.Join(s.Dir, s.GoFiles[i])
		name, err := filepath.Rel(s.Module.Dir, path)
		if err != nil {
			return nil, err
		}
		replace[path] = filepath.Join(scratch, s.GoFiles[i])
		if err := os.WriteFile(replace[path], []byte(f.file(filepath.ToSlash(name), sources[i], file)), 0o600); err != nil {
			return nil, err
		}
	}
	s.mutants = f.found
	const ours = "mutant_switches.go"
	replace[filepath.Join(s.Dir, ours)] = filepath.Join(scratch, ours)
	text := strings.NewReplacer("PACKAGE", s.Name, "COUNT", strconv.Itoa(len(s.mutants))).Replace(switches)
	if err := os.WriteFile(filepath.Join(scratch, ours), []byte(text), 0o600); err != nil {
		return nil, err
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return nil, err
	}
	s.overlay = filepath.Join(scratch, "overlay.json")
	s.source = hash(append(sources, []byte(text), []byte(os.Getenv("GOVERSION")))...)
	return s, os.WriteFile(s.overlay, overlay, 0o600)
}

func check(fset *token.FileSet, path string, files []*ast.File, exports map[string]string) (*types.Info, error) {
	info := &types.Info{
		Types: map[ast.Expr]types.TypeAndValue{}, Defs: map[*ast.Ident]types.Object{}, Uses: map[*ast.Ident]types.Object{},
		Selections: map[*ast.SelectorExpr]*types.Selection{},
	}
	config := types.Config{Importer: importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) {
		if exports[path] == "" {
			return nil, fmt.Errorf("no export data of %s", path)
		}
		return os.Open(exports[path])
	})}
	_, err := config.Check(path, fset, files, info)
	return info, err
}

// list returns a package and what it depends on, compiled.
func list(ctx context.Context, dir string) ([]goPackage, error) {
	out, err := run(ctx, dir, "go", "list", "-export", "-deps", "-json=Dir,ImportPath,Name,Export,GoFiles,TestGoFiles,XTestGoFiles,DepOnly,Module", ".")
	if err != nil {
		return nil, err
	}
	var all []goPackage
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
}

func run(ctx context.Context, dir string, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w\n%s%s", name, strings.Join(args, " "), err, said.Bytes(), out)
	}
	return out, nil
}

// suite is the test binary of a package, which need not be the subject's.
type suite struct {
	goPackage
	binary string
}

// build compiles the tests of a package with the subject's mutants.
func (s *subject) build(ctx context.Context, dir, binary string) (suite, error) {
	all, err := list(ctx, dir)
	if err != nil {
		return suite{}, err
	}
	if _, err := run(ctx, dir, "go", "test", "-c", "-overlay", s.overlay, "-o", binary, "."); err != nil {
		return suite{}, err
	}
	return suite{all[len(all)-1], binary}, nil
}
