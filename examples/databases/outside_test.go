package databases

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/seed-dad15c92/txcache/examples/databases/internal/shoptest"
)

const module = "github.com/seed-dad15c92/txcache"

// Each file of a shop has less than 40 lines.
func TestShopsAreShort(t *testing.T) {
	files, err := filepath.Glob("*/*.go")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) < 7*3 {
		t.Fatalf("there are %d files of shops", len(files))
	}
	for _, file := range files {
		if n := bytes.Count(read(t, file), []byte("\n")); n >= 40 {
			t.Errorf("%s has %d lines", file, n)
		}
	}
}

// A shop works in a module of its own, outside of this repository.
func TestShopsOutsideOfTheRepository(t *testing.T) {
	for _, library := range []string{"pgx", "sqlc", "gorm"} {
		t.Run(library, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			copyTo(t, filepath.Join(folder, "go.mod"), moduleFile(t))
			copyTo(t, filepath.Join(folder, "go.sum"), read(t, "go.sum"))
			for _, name := range []string{"shop.go", "nested.go", "shop_test.go"} {
				copyTo(t, filepath.Join(folder, name), outside(read(t, filepath.Join(library, name))))
			}
			generated, err := filepath.Glob(filepath.Join(library, "query", "*.go"))
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range generated {
				copyTo(t, filepath.Join(folder, "query", filepath.Base(name)), read(t, name))
			}
			copyTo(t, filepath.Join(folder, "database_test.go"), []byte(`package shop

import (
	"os"
	"testing"
)

func database(*testing.T) string { return os.Getenv("DATABASE_URL") }
`))
			test := exec.CommandContext(t.Context(), "go", "test", "-mod=mod", "-count=1", ".")
			test.Dir = folder
			test.Env = append(os.Environ(), "GOWORK=off", "GOFLAGS=", "DATABASE_URL="+shoptest.Database(t))
			if out, err := test.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// outside returns a file of a shop as that of the module example.com/shop.
func outside(source []byte) []byte {
	return regexp.MustCompile(module+`/examples/databases/\w+/`).ReplaceAll(source, []byte("example.com/shop/"))
}

// moduleFile returns the go.mod of a module outside of the repository, with the versions of this
// one.
func moduleFile(t *testing.T) []byte {
	t.Helper()
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	source := strings.Replace(string(read(t, "go.mod")), "module "+module+"/examples/databases", "module example.com/shop", 1)
	return []byte(strings.ReplaceAll(source, "=> ../..", "=> "+root))
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func copyTo(t *testing.T, name string, content []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, content, 0o666); err != nil {
		t.Fatal(err)
	}
}
