package txpgx_test

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/seed-dad15c92/txcache/internal/postgrestest"
)

// All tests share one server, and each has a database of its own.
var server struct {
	start     sync.Once
	uri       func(database string) string
	problem   string // why there is no server
	cleanups  []func()
	databases atomic.Int64
}

func TestMain(m *testing.M) {
	code := m.Run()
	for i := len(server.cleanups) - 1; i >= 0; i-- {
		server.cleanups[i]()
	}
	os.Exit(code)
}

// newDatabase returns the address of a database that is new.
func newDatabase(t testing.TB) string {
	t.Helper()
	server.start.Do(func() {
		server.problem = "an earlier test says why"
		server.uri = postgrestest.Start(lasting{t}).URI
	})
	if server.uri == nil {
		t.Skipf("there is no PostgreSQL: %s", server.problem)
	}
	conn, err := pgx.Connect(t.Context(), server.uri("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	name := fmt.Sprintf("shop%d", server.databases.Add(1))
	if _, err := conn.Exec(t.Context(), "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	return server.uri(name)
}

// lasting is a test whose cleanups wait for the end of all tests.
type lasting struct{ testing.TB }

func (lasting) Cleanup(f func()) { server.cleanups = append(server.cleanups, f) }
