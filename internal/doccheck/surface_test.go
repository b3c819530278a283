package doccheck

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// surfacePage lists what is exported, in one section for each package, named as
// its folder.
const surfacePage = "docs/surface.md"

// face are the packages that users import, by folder.
var face = []string{
	".", "backend", "backend/backendtest", "config", "debugpage", "memorybackend", "redisbackend", "sqlbackend", "sqltx", "txcachetest", "txgorm", "txhttp", "txotel", "txpgx", "txprometheus",
}

// The page lists each exported name, with those who need it, and no other.
func TestSurfaceIsWhatThePageSays(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(surfacePage)))
	if err != nil {
		t.Fatal(err)
	}
	listed := surface(string(page))
	for _, folder := range face {
		exported := exported(t, folder)
		for _, name := range slices.Sorted(maps.Keys(exported)) {
			if !listed[folder][name] {
				t.Errorf("%s does not say who needs %s of %s", surfacePage, name, folder)
			}
		}
		for _, name := range slices.Sorted(maps.Keys(listed[folder])) {
			if !exported[name] {
				t.Errorf("%s says who needs %s of %s, which is not there", surfacePage, name, folder)
			}
		}
		delete(listed, folder)
	}
	for folder := range listed {
		t.Errorf("%s has a section %s; there is no such package", surfacePage, folder)
	}
}

var code = regexp.MustCompile("`([^`]+)`")

// surface returns the names in the first columns of the page's tables, by section.
func surface(page string) map[string]map[string]bool {
	listed := map[string]map[string]bool{}
	var section map[string]bool
	for line := range strings.Lines(page) {
		if folder, ok := strings.CutPrefix(strings.TrimSpace(line), "## "); ok {
			section = map[string]bool{}
			listed[strings.Trim(folder, "`")] = section
		}
		if cells := strings.Split(line, "|"); section != nil && len(cells) > 2 {
			for _, name := range code.FindAllStringSubmatch(cells[1], -1) {
				section[name[1]] = true
			}
		}
	}
	return listed
}

// exported returns the exported names of the package in folder; those of methods
// come with their types.
func exported(t *testing.T, folder string) map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root, filepath.FromSlash(folder), "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			for _, name := range declared(d) {
				names[name] = true
			}
		}
	}
	return names
}

// declared returns the exported names of one declaration.
func declared(d ast.Decl) (names []string) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		name := d.Name.Name
		if d.Recv != nil {
			receiver := typeName(d.Recv.List[0].Type)
			if !ast.IsExported(receiver) {
				return nil
			}
			name = receiver + "." + name
		}
		if d.Name.IsExported() {
			names = append(names, name)
		}
	case *ast.GenDecl:
		for _, s := range d.Specs {
			switch s := s.(type) {
			case *ast.TypeSpec:
				if s.Name.IsExported() {
					names = append(names, s.Name.Name)
				}
			case *ast.ValueSpec:
				for _, n := range s.Names {
					if n.IsExported() {
						names = append(names, n.Name)
					}
				}
			}
		}
	}
	return names
}

// typeName returns the name of a receiver's type.
func typeName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return typeName(e.X)
	case *ast.IndexExpr:
		return typeName(e.X)
	case *ast.IndexListExpr:
		return typeName(e.X)
	case *ast.Ident:
		return e.Name
	}
	return ""
}
