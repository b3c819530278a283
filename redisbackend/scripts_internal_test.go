package redisbackend

import (
	"embed"
	"path"
	"slices"
	"strings"
	"testing"
)

//go:embed scripts/*.lua
var scriptFiles embed.FS

// Each script can be read by itself: all it uses is in its file, or is Redis's.
func TestScriptsAreWhole(t *testing.T) {
	files, err := scriptFiles.ReadDir("scripts")
	if err != nil || len(files) == 0 {
		t.Fatalf("%d scripts, %v", len(files), err)
	}
	sent := []string{ackScript.source, databaseScript.source, dropScript.source, markScript.source, probeScript.source, swapScript.source}
	for _, f := range files {
		source, err := scriptFiles.ReadFile(path.Join("scripts", f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Contains(sent, string(source)) {
			t.Errorf("%s is not a script that is sent as it is", f.Name())
		}
		problems, err := checkLua(string(source), "err")
		if err != nil {
			t.Error(err)
		}
		for _, p := range problems {
			t.Errorf("%s: %s", f.Name(), p)
		}
	}
}

// What the test above looks for it finds, wherever it is put.
func TestScriptFaultsAreFound(t *testing.T) {
	for _, c := range []struct{ old, new, problem string }{
		{"local key, fresh = KEYS[1], ARGV[1]\n", "local key, fresh, more = KEYS[1], ARGV[1], 1\n", "more is not used"},
		{"local operations = {}\n", "local operations = {}\nlocal function more() end\n", "more is not used"},
		{"local function resolve(db)\n", "local function resolve(db, more)\n", "more is not used"},
		{"local stood = lift(db, id)\n", "stood = lift(db, id)\n", "the global stood is set"},
		{"start(db, all, others)", "start(db, all, items)", "items is not defined"},
		{"return table.remove(", "return table.take(", "table.take is not defined"},
		{"local sent = redis.pcall(", "local sent = redis.send(", "redis.send is not defined"},
		{"db.now + tonumber(ttl)", "db.time + tonumber(ttl)", "field time is read and never set"},
		{"    changed = false,\n", "    changed = false,\n    more = 1,\n", "field more is set and never read"},
	} {
		if strings.Count(databaseLua, c.old) != 1 {
			t.Fatalf("%q is not in the script once", c.old)
		}
		problems, err := checkLua(strings.Replace(databaseLua, c.old, c.new, 1), "err")
		if err != nil {
			t.Error(err)
		}
		if !slices.ContainsFunc(problems, func(p string) bool { return strings.HasSuffix(p, c.problem) }) {
			t.Errorf("%q in place of %q: found %q, want %q", c.new, c.old, problems, c.problem)
		}
	}
	if _, err := checkLua("local x = "); err == nil {
		t.Error("what is no Lua is taken for a script")
	}
}

// The operations are those of the script, no more and no fewer.
func TestOperationsAreThoseOfTheScript(t *testing.T) {
	var defined []operation
	for line := range strings.Lines(databaseLua) {
		if rest, ok := strings.CutPrefix(line, "function operations."); ok {
			name, _, _ := strings.Cut(rest, "(")
			defined = append(defined, operation(name))
		}
	}
	if want := []operation{opSync, opWait, opFence, opClear, opUnfence}; !slices.Equal(defined, want) {
		t.Errorf("the script has the operations %q, want %q", defined, want)
	}
}
