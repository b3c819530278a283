package postgrestest

import (
	"fmt"
	"net"
	"os/exec"
	"slices"
	"sync"
	"testing"
)

// A Shared is a server that the tests of a package share, each with a database of its own. TestMain
// must call Run. It is safe for concurrent use.
type Shared struct {
	start     sync.Once
	server    *Server
	cleanups  []func()
	mu        sync.Mutex
	databases int
}

// Run runs the tests, ends the server and returns the exit code.
func (s *Shared) Run(m *testing.M) int {
	code := m.Run()
	for _, cleanup := range slices.Backward(s.cleanups) {
		cleanup()
	}
	return code
}

// NewDatabase returns the URI of a database that is new. The first call starts the server; where there is
// none, it skips the test or fails it, as Start does.
func (s *Shared) NewDatabase(t testing.TB) string {
	t.Helper()
	s.start.Do(func() { s.server = Start(lasting{t, s}) })
	if s.server == nil {
		t.Skip("there is no PostgreSQL: an earlier test says why")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.databases++
	name := fmt.Sprintf("shop%d", s.databases)
	host, port, err := net.SplitHostPort(s.server.Addr)
	if err != nil {
		t.Fatal(err)
	}
	if output, err := exec.Command(s.server.program("createdb"), "-h", host, "-p", port, "-U", "postgres", name).CombinedOutput(); err != nil {
		t.Fatalf("createdb: %v\n%s", err, output)
	}
	return s.server.URI(name)
}

// A lasting is a test whose cleanups wait for the end of all tests.
type lasting struct {
	testing.TB
	shared *Shared
}

func (l lasting) Cleanup(f func()) { l.shared.cleanups = append(l.shared.cleanups, f) }
