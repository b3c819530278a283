package redistest

import (
	_ "embed"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// clockSource is a library that a server is started with, so that its clock can be set.
//
//go:embed testdata/clock.c
var clockSource []byte

// A Clock is what a server takes for the time of day. Its methods fail the test it is of.
type Clock struct {
	t    testing.TB
	file *os.File // the library has mapped it
}

// StartWithClock is Start for a server whose clock can be set, also while it runs.
func StartWithClock(t testing.TB, args ...string) (*Server, *Clock) {
	t.Helper()
	s := prepare(t, args...)
	if _, err := exec.LookPath("gcc"); err != nil {
		if os.Getenv("TXCACHE_REQUIRE_REDIS") == "1" {
			t.Fatalf("TXCACHE_REQUIRE_REDIS=1, but: %v", err)
		}
		t.Skipf("needs a compiler of C: %v", err)
	}
	source, library, file := filepath.Join(s.Dir, "clock.c"), filepath.Join(s.Dir, "clock.so"), filepath.Join(s.Dir, "clock")
	if err := os.WriteFile(source, clockSource, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("gcc", "-shared", "-fPIC", "-O1", "-o", library, source).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	c := &Clock{t: t}
	var err error
	if c.file, err = os.Create(file); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.file.Close() })
	c.Set(0)
	s.env = []string{"LD_PRELOAD=" + library, "TXCACHE_CLOCK=" + file}
	s.Restart()
	return s, c
}

// Set sets the clock to now and by more, which may be negative.
func (c *Clock) Set(by time.Duration) {
	c.t.Helper()
	if _, err := c.file.WriteAt(binary.NativeEndian.AppendUint64(nil, uint64(by.Microseconds())), 0); err != nil {
		c.t.Fatal(err)
	}
}
