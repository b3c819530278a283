package txcache_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// A program that is built with txcache_noredis has no client of Redis in it, and
// says so when it is configured for one.
func TestAProgramWithoutRedis(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds programs; without -short it runs")
	}
	dir := t.TempDir()
	run := func(name string, args ...string) string {
		t.Helper()
		out, err := exec.Command(name, args...).CombinedOutput()
		if _, exited := err.(*exec.ExitError); err != nil && !exited {
			t.Fatal(err)
		}
		return string(out)
	}
	size := map[string]int64{}
	for tag, linked := range map[string]bool{"txcache_noredis": false, "": true} {
		if deps := run("go", "list", "-deps", "-tags", tag, ".", "./sqltx", "./debugpage", "./examples/quickstart"); strings.Contains(deps, "go-redis") != linked || !strings.Contains(deps, "txcache/memorybackend") {
			t.Errorf("with the tag %q, go-redis is linked: %v, want %v", tag, !linked, linked)
		}
		program := filepath.Join(dir, "program"+tag)
		if out := run("go", "build", "-tags", tag, "-o", program, "./examples/quickstart"); out != "" {
			t.Fatal(out)
		}
		info, err := os.Stat(program)
		if err != nil {
			t.Fatal(err)
		}
		size[tag] = info.Size()
		if modules := run("go", "version", "-m", program); strings.Contains(modules, "redis/go-redis") != linked {
			t.Errorf("with the tag %q, the program names go-redis: %v, want %v", tag, !linked, linked)
		}
	}
	if saved := size[""] - size["txcache_noredis"]; saved < 2<<20 {
		t.Errorf("the program is %d kB smaller, want 2048 at least", saved>>10)
	} else {
		t.Logf("the program is %d kB smaller", saved>>10)
	}
	small := filepath.Join(dir, "programtxcache_noredis")
	if out := run(small); strings.Contains(out, "txcache:") {
		t.Errorf("the program does not run in memory: %s", out)
	}
	file := filepath.Join(dir, "cache.toml")
	if err := os.WriteFile(file, []byte("[cache]\nclass = \"redis\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := run(small, "-config", file); !strings.Contains(out, "txcache_noredis") {
		t.Errorf("configured for Redis it says %q; want the tag to be named", out)
	}
	if out := run("go", "test", "-count=1", "-v", "-tags", "txcache_noredis", "-run", "^TestValuesInRedisAreLeftOut$", "."); !strings.Contains(out, "--- PASS: TestValuesInRedisAreLeftOut") {
		t.Errorf("with values in Redis:\n%s", out)
	}
}
