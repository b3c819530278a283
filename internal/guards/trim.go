package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
)

// testFiles are those of one package. Most of the time that a guard takes goes
// into compiling them, so each guard's tests are compiled without the files that
// they have no need of.
type testFiles struct {
	declaring map[string][]string // the files, by what they declare, or declare methods of
	uses      map[string][]string // the names in each file
}

func readTestFiles(folder string) (*testFiles, error) {
	names, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
	if err != nil {
		return nil, err
	}
	t := &testFiles{declaring: map[string][]string{}, uses: map[string][]string{}}
	for _, name := range names {
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		for _, d := range file.Decls {
			for _, declared := range namesOf(d) {
				t.declaring[declared] = append(t.declaring[declared], name)
			}
		}
		t.uses[name] = identifiers(file)
	}
	return t, nil
}

// unneeded returns the files that tests, as in guard.by, compile without.
func (t *testFiles) unneeded(tests string) (files []string) {
	open := []string{"TestMain", "init"}
	for test := range strings.SplitSeq(tests, "|") {
		name, _, _ := strings.Cut(test, "/")
		open = append(open, name)
	}
	needed, seen := map[string]bool{}, map[string]bool{}
	for len(open) > 0 {
		name := open[len(open)-1]
		open = open[:len(open)-1]
		if seen[name] {
			continue
		}
		seen[name] = true
		for _, file := range t.declaring[name] {
			if !needed[file] {
				needed[file] = true
				open = append(open, t.uses[file]...)
			}
		}
	}
	for file := range t.uses {
		if !needed[file] {
			files = append(files, file)
		}
	}
	slices.Sort(files)
	return files
}

// namesOf returns the names that d declares. A method counts as its type.
func namesOf(d ast.Decl) (names []string) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Recv != nil {
			return identifiers(d.Recv.List[0].Type)[:1]
		}
		return []string{d.Name.Name}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				names = append(names, spec.Name.Name)
			case *ast.ValueSpec:
				for _, name := range spec.Names {
					names = append(names, name.Name)
				}
			}
		}
	}
	return names
}

// identifiers returns those in n, in their order.
func identifiers(n ast.Node) (names []string) {
	ast.Inspect(n, func(n ast.Node) bool {
		if name, ok := n.(*ast.Ident); ok {
			names = append(names, name.Name)
		}
		return true
	})
	return names
}
