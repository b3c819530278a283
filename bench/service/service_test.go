package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-dad15c92/txcache/bench/redisserver"
)

func TestMain(m *testing.M) {
	if plan := os.Getenv(planVariable); plan != "" {
		os.Exit(serve(plan))
	}
	os.Exit(m.Run())
}

// The oracle must see what is stale, as it is with local caches that nobody tells of changes,
// and must see nothing where nothing may be stale.
func TestServiceIsMeasured(t *testing.T) {
	dir := t.TempDir()
	args := []string{"-rounds", "1", "-warm", "300ms", "-time", "500ms", "-clients", "8", "-o", dir,
		"-only", `^(go-redis/cache, local cache|otter, one process|txcache, Redis, sync = "begin"|txcache, SQL|txcache, memory, one process)$`}
	var log strings.Builder
	err := run(t.Context(), t, args, io.Discard, &log)
	if errors.Is(err, redisserver.ErrNone) && os.Getenv("TXCACHE_REQUIRE_REDIS") != "1" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "service.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, chart := range []string{"service.svg", "service-hot.svg"} {
		if svg, err := os.ReadFile(filepath.Join(dir, chart)); err != nil || !strings.Contains(string(svg), "otter, one process") {
			t.Errorf("%s: %v, %.60s", chart, err, svg)
		}
	}
	rows := 0
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.TrimSpace(line), " | ")
		if len(cells) != 8 || strings.HasPrefix(line, "| service") {
			continue
		}
		rows++
		name := strings.TrimPrefix(cells[0], "| ")
		stale, rate := strings.TrimSuffix(cells[7], " |") != "0", cells[1]
		if wants := strings.Contains(name, "local"); stale != wants {
			t.Errorf("stale reads of %q: %v, want %v", name, stale, wants)
		}
		if strings.HasPrefix(rate, "0 ") {
			t.Errorf("%q has answered no request", name)
		}
	}
	if rows != 12 {
		t.Errorf("%d rows, want 6 in each of two tables:\n%s", rows, text)
	}
}

func TestNewestIsSharedAndGrows(t *testing.T) {
	file := filepath.Join(t.TempDir(), "newest")
	here, err := mapNewest(file, 10)
	if err != nil {
		t.Fatal(err)
	}
	there, err := mapNewest(file, 10)
	if err != nil {
		t.Fatal(err)
	}
	here.committed(3, 7)
	there.committed(3, 6)
	if got := there.note(nil, []int64{3, 4}); got[0] != 7 || got[1] != 0 {
		t.Errorf("the versions of rows 3 and 4 are %v, want 7 and 0", got)
	}
}

func TestRunRefusesWhatCannotBe(t *testing.T) {
	for _, args := range [][]string{{"more"}, {"-rounds", "0"}, {"-time", "-1s"}, {"-only", "("}, {"-clients", "1"}} {
		if err := run(t.Context(), t, args, io.Discard, io.Discard); err == nil {
			t.Errorf("%q was taken", args)
		}
	}
}

func TestProgramFailsAsATestDoes(t *testing.T) {
	var undone []string
	err := asTest(func(t testing.TB) error {
		t.Cleanup(func() { undone = append(undone, "first") })
		t.Cleanup(func() { undone = append(undone, "second") })
		t.Fatalf("no %s", "server")
		return nil
	})
	if err == nil || err.Error() != "no server" || strings.Join(undone, " ") != "second first" {
		t.Errorf("error %v after undoing %v", err, undone)
	}
}
