package doccheck

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const recordsPage = "docs/metrics.md"

// loggers are the folders whose code writes log records of a store.
var loggers = []string{".", "internal", "memorybackend", "redisbackend", "sqlbackend"}

// The page lists the message of each log record, and no other.
func TestRecordsAreWhatThePageSays(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(recordsPage)))
	if err != nil {
		t.Fatal(err)
	}
	listed, ok := surface(string(text))["Log records"]
	if !ok {
		t.Fatalf("%s has no section on log records", recordsPage)
	}
	delete(listed, "message")
	logged, said := records(t)
	if len(logged) == 0 {
		t.Fatal("no code writes a record")
	}
	for _, message := range slices.Sorted(maps.Keys(logged)) {
		if !listed[message] {
			t.Errorf("%s does not have the record %q", recordsPage, message)
		}
	}
	for _, message := range slices.Sorted(maps.Keys(listed)) {
		if !said[message] {
			t.Errorf("%s has the record %q, which no code writes", recordsPage, message)
		}
	}
}

// records returns the messages that are given to a logger as they are, and all texts
// of the code, among which the messages are that it puts together otherwise. Both are
// without the prefix of the library.
func records(t *testing.T) (logged, said map[string]bool) {
	t.Helper()
	logged, said = map[string]bool{}, map[string]bool{}
	for _, folder := range loggers {
		base := filepath.Join(root, folder)
		err := filepath.WalkDir(base, func(name string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir() && name != base && (folder == "." || d.Name() == "testdata" || d.Name() == "guards"):
				return fs.SkipDir
			case d.IsDir() || filepath.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go"):
				return nil
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
			if err != nil {
				return err
			}
			ast.Inspect(file, func(n ast.Node) bool {
				if call, ok := n.(*ast.CallExpr); ok && logs(call.Fun) {
					for _, arg := range call.Args[:min(2, len(call.Args))] { // the first may be a context
						if message, ok := literal(arg); ok {
							logged[message] = true
							break
						}
					}
				}
				if n, ok := n.(ast.Expr); ok {
					if text, ok := literal(n); ok {
						said[text] = true
					}
				}
				return true
			})
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return logged, said
}

// logs reports whether fun is a method by which a record is written: one of a logger's
// names, of something that is called a logger or a log.
func logs(fun ast.Expr) bool {
	method, ok := fun.(*ast.SelectorExpr)
	if !ok || !slices.Contains([]string{"Debug", "Info", "Warn", "Error", "WarnContext", "InfoContext", "ErrorContext"}, method.Sel.Name) {
		return false
	}
	var of string
	switch x := method.X.(type) {
	case *ast.SelectorExpr:
		of = x.Sel.Name
	case *ast.Ident:
		of = x.Name
	}
	of = strings.ToLower(of)
	return of == "log" || of == "logger"
}

func literal(e ast.Expr) (string, bool) {
	l, ok := e.(*ast.BasicLit)
	if !ok || l.Kind != token.STRING {
		return "", false
	}
	text, err := strconv.Unquote(l.Value)
	return strings.TrimPrefix(text, "txcache: "), err == nil
}
