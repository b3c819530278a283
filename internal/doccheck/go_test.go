package doccheck

import (
	"bytes"
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
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// known are the packages that statements and declarations need not import, by
// the name they go by.
var known = map[string]string{
	"atomic": "sync/atomic", "context": "context", "errors": "errors", "fmt": "fmt", "http": "net/http",
	"log": "log", "os": "os", "slog": "log/slog", "slices": "slices", "sql": "database/sql",
	"strings": "strings", "sync": "sync", "synctest": "testing/synctest", "testing": "testing", "time": "time",

	"miniredis":  "github.com/alicebob/miniredis/v2",
	"prometheus": "github.com/prometheus/client_golang/prometheus",
	"redis":      "github.com/redis/go-redis/v9",
	"metric":     "go.opentelemetry.io/otel/sdk/metric",
	"semconv":    "go.opentelemetry.io/otel/semconv/v1.37.0",

	"backend":       module + "/backend",
	"backendtest":   module + "/backend/backendtest",
	"config":        module + "/config",
	"debugpage":     module + "/debugpage",
	"memorybackend": module + "/memorybackend",
	"redisbackend":  module + "/redisbackend",
	"sqltx":         module + "/sqltx",
	"txcache":       module,
	"txcachetest":   module + "/txcachetest",
	"txhttp":        module + "/txhttp",
	"txotel":        module + "/txotel",
	"txprometheus":  module + "/txprometheus",
}

const module = "github.com/seed-dad15c92/txcache"

// A unit is a block of Go with what its page takes for granted.
type unit struct {
	block
	files   []*ast.File
	partial bool // something was left out, or there is more of it elsewhere
}

func TestGoCompiles(t *testing.T) {
	fset := token.NewFileSet()
	var units []unit
	for _, p := range pages(t) {
		for _, b := range p.blocks {
			if b.language != "go" || strings.HasPrefix(b.mark, "quotes ") {
				continue
			}
			u, err := parse(fset, b)
			if err != nil {
				t.Errorf("%v", err)
				continue
			}
			units = append(units, u)
		}
	}
	find, err := finder(fset, units)
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range units {
		for _, err := range u.check(fset, find) {
			t.Errorf("%v", err)
		}
	}
}

var leftOut = regexp.MustCompile(`(?m)^(\s*)\.\.\.$`)

// parse makes a unit of a block, whatever it is. Positions are those of the page.
func parse(fset *token.FileSet, b block) (unit, error) {
	u := unit{block: b}
	at := fmt.Sprintf("\n//line %s:%d\n", b.page, b.line)
	if f, err := parser.ParseFile(fset, "", at+b.code, 0); err == nil {
		u.files = []*ast.File{f}
		return u, nil
	}
	u.partial = true
	code := leftOut.ReplaceAllString(b.code, `${1}panic("...")`)
	f, err := parser.ParseFile(fset, "", "package page"+at+code, 0)
	if err != nil {
		if f, err = parser.ParseFile(fset, "", "package page; func _() {"+at+code+"\n}", 0); err != nil {
			return u, err
		}
	}
	u.files = []*ast.File{f}
	preamble := filepath.Join("testdata", strings.ReplaceAll(strings.TrimSuffix(b.page, ".md"), "/", "_")+".go")
	taken, err := parser.ParseFile(fset, preamble, nil, 0)
	switch {
	case err == nil:
		u.files = append(u.files, taken)
	case !errors.Is(err, os.ErrNotExist):
		return u, err
	}
	importKnown(f)
	return u, nil
}

// importKnown adds to f the imports of known packages that it uses.
func importKnown(f *ast.File) {
	has := map[string]bool{}
	for _, spec := range f.Imports {
		has[spec.Path.Value] = true
	}
	imports := &ast.GenDecl{Tok: token.IMPORT}
	ast.Inspect(f, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := s.X.(*ast.Ident); ok && known[x.Name] != "" {
				path := strconv.Quote(known[x.Name])
				if !has[path] && !declares(f, x.Name) {
					has[path] = true
					spec := &ast.ImportSpec{Path: &ast.BasicLit{Kind: token.STRING, Value: path}}
					imports.Specs = append(imports.Specs, spec)
					f.Imports = append(f.Imports, spec)
				}
			}
		}
		return true
	})
	if len(imports.Specs) > 0 {
		f.Decls = append([]ast.Decl{imports}, f.Decls...)
	}
}

// declares reports whether f has a variable or parameter of that name.
func declares(f *ast.File, name string) (found bool) {
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.Field:
			found = found || slices.ContainsFunc(n.Names, func(i *ast.Ident) bool { return i.Name == name })
		case *ast.AssignStmt:
			for _, left := range n.Lhs {
				i, ok := left.(*ast.Ident)
				found = found || ok && n.Tok == token.DEFINE && i.Name == name
			}
		}
		return !found
	})
	return found
}

// finder returns an importer of what units import.
func finder(fset *token.FileSet, units []unit) (types.Importer, error) {
	paths := map[string]bool{}
	for _, u := range units {
		for _, f := range u.files {
			for _, spec := range f.Imports {
				path, err := strconv.Unquote(spec.Path.Value)
				if err != nil {
					return nil, err
				}
				paths[path] = true
			}
		}
	}
	args := []string{"list", "-export", "-deps", "-f", "{{.ImportPath}} {{.Export}}"}
	for path := range paths {
		args = append(args, path)
	}
	list := exec.Command("go", args...)
	var problems bytes.Buffer
	list.Stderr = &problems
	out, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("what the blocks import cannot be listed: %w\n%s", err, problems.Bytes())
	}
	exports := map[string]string{}
	for line := range strings.Lines(string(out)) {
		path, file, _ := strings.Cut(strings.TrimSpace(line), " ")
		exports[path] = file
	}
	return importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) }), nil
}

// check returns what does not compile.
func (u unit) check(fset *token.FileSet, find types.Importer) (problems []error) {
	c := types.Config{Importer: find, Error: func(err error) {
		var e types.Error
		if !errors.As(err, &e) || !u.partial || !e.Soft {
			problems = append(problems, err)
		}
	}}
	c.Check("page", fset, u.files, nil) // Error gets its errors
	return problems
}

func TestGoThatDoesNotCompileIsFound(t *testing.T) {
	for _, test := range []struct{ code, want string }{
		{"package main\n\nfunc main() { var x int }", "declared and not used"},
		{"package main\n\nimport \"os\"\n\nfunc main() {}", "imported and not used"},
		{"type T struct{ c context.Context }", ""},
		{"func f() error { return errors.New(1) }", "cannot use 1"},
		{"x := 1\nif x > 0 {\n\t...\n}", ""},
		{"x := undefined()", "undefined: undefined"},
		{"err := func() error {\n\t...\n}()", ""},
		{"tx.Comit()", "undefined: tx"},
		{"var s *txcache.Store\ns.Nothing()", "s.Nothing undefined"},
		{"if {", "a.md:7"},
	} {
		fset := token.NewFileSet()
		u, err := parse(fset, block{page: "a.md", line: 7, code: test.code})
		var problems []error
		if err != nil {
			problems = []error{err}
		} else {
			find, err := finder(fset, []unit{u})
			if err != nil {
				t.Fatal(err)
			}
			problems = u.check(fset, find)
		}
		if got := fmt.Sprint(problems); (test.want == "") != (len(problems) == 0) || !strings.Contains(got, test.want) {
			t.Errorf("%q: %s, want %q", test.code, got, test.want)
		}
	}
}
