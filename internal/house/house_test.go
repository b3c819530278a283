// Package house holds the order in which the packages of the module may import
// each other, as docs/design.md draws it.
package house

import (
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/seed-dad15c92/txcache"

// floors are the packages that users build, from the top to the ground. A package
// may import those of the floors below it, of its own floor none. So no import runs
// back, and each floor can be read without those above it.
var floors = [][]string{
	{"cmd/txcache"},
	{"internal/command"},
	{"sqltx", "debugpage", "txcachetest", "txhttp", "internal/metrics"},
	{"."},
	{"internal/loading"},
	{"internal/transaction"},
	{"internal/databases", "internal/singleflight", "internal/canon", "internal/codec", "internal/witness"},
	{"memorybackend", "redisbackend", "sqlbackend"},
	{"config", "internal/inspect", "internal/durations", "internal/querier", "internal/quiet", "internal/near", "internal/redistest"},
	{"backend", "internal/cause", "internal/limits", "internal/memsize", "internal/sqlread", "internal/spelling"},
}

// aside are packages of tests, examples and tools. They may import anything, and
// nothing that users build imports them.
var aside = []string{"acceptance", "backend/backendtest", "examples", "internal/doccheck", "internal/enlistertest", "internal/goldentest", "internal/guards", "internal/history", "internal/house", "internal/mariadbtest", "internal/postgrestest", "internal/prove", "internal/servertest", "internal/storetest"}

func TestNoImportRunsBack(t *testing.T) {
	floor := map[string]int{}
	for i, packages := range floors {
		for _, p := range packages {
			floor[p] = i
		}
	}
	for _, p := range list(t) {
		name := short(p.ImportPath)
		if isAside(name) {
			continue
		}
		own, ok := floor[name]
		if !ok {
			t.Errorf("package %s has no floor: say in floors where it is, and draw it in docs/design.md", name)
		}
		for _, path := range p.Imports {
			if path != module && !strings.HasPrefix(path, module+"/") {
				continue
			}
			switch imported := short(path); {
			case isAside(imported):
				t.Errorf("%s imports %s, which is for tests", name, imported)
			case floor[imported] <= own:
				t.Errorf("%s imports %s, which is not below it", name, imported)
			}
		}
	}
}

type pkg struct {
	ImportPath string
	Imports    []string
}

func list(t *testing.T) (packages []pkg) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports", module+"/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	for decoder := json.NewDecoder(strings.NewReader(string(out))); decoder.More(); {
		var p pkg
		if err := decoder.Decode(&p); err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
	if len(packages) == 0 {
		t.Fatal("go list prints nothing")
	}
	return packages
}

// short returns a path within the module, "." for its root.
func short(path string) string {
	if path == module {
		return "."
	}
	return strings.TrimPrefix(path, module+"/")
}

func isAside(name string) bool {
	return slices.ContainsFunc(aside, func(folder string) bool { return name == folder || strings.HasPrefix(name, folder+"/") })
}
