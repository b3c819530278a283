package txpgx_test

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-dad15c92/txcache/txpgx"
)

// bouncer starts a PgBouncer before the server of s, and returns the address of the database there.
// It has two connections for all clients, each for a transaction.
func (s *stage) bouncer(t *testing.T) string {
	t.Helper()
	program, err := exec.LookPath("pgbouncer")
	if err != nil {
		if program = "/usr/sbin/pgbouncer"; !exists(program) {
			if os.Getenv("TXCACHE_REQUIRE_PGBOUNCER") == "1" {
				t.Fatalf("TXCACHE_REQUIRE_PGBOUNCER=1, but: %v", err)
			}
			t.Skipf("needs PgBouncer: %v", err)
		}
	}
	behind, err := url.Parse(s.uri)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "pgbouncer") // one that another account may enter
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	file := filepath.Join(dir, "pgbouncer.ini")
	if err := errors.Join(os.Chmod(dir, 0o755), os.WriteFile(file, fmt.Appendf(nil, `
[databases]
* = host=127.0.0.1 port=%s user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %s
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 2
max_client_conn = 100
ignore_startup_parameters = extra_float_digits
`, behind.Port(), port), 0o644)); err != nil {
		t.Fatal(err)
	}
	args := []string{"-q", file}
	if os.Getuid() == 0 {
		args = append([]string{"-u", "postgres"}, args...) // it refuses to run as root
	}
	cmd := exec.Command(program, args...)
	cmd.Dir = dir
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	behind.Host = net.JoinHostPort("127.0.0.1", port)
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		conn, err := pgx.Connect(t.Context(), behind.String())
		if err == nil {
			conn.Close(t.Context())
			return behind.String()
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// A pooler that gives each transaction another connection of the server, in the modes
// that are right for that: with QueryExecModeDescribeExec pgx itself needs the same
// connection twice.
func TestPgBouncer(t *testing.T) {
	s := newStage(t)
	s.enlists(t)
	s.uri = s.bouncer(t)
	for _, kind := range []string{"memory", "enlisted"} {
		for _, mode := range []pgx.QueryExecMode{pgx.QueryExecModeExec, pgx.QueryExecModeSimpleProtocol, pgx.QueryExecModeCacheDescribe} {
			t.Run(kind+", "+mode.String(), func(t *testing.T) {
				before := s.pool
				defer func() { s.pool = before }()
				s.pool = s.newPool(t, func(cfg *pgxpool.Config) {
					cfg.ConnConfig.DefaultQueryExecMode = mode
					cfg.MaxConns = 8
				})
				if kind == "memory" {
					s.store = s.newStore(t, nil)
					s.price = newCache(t, s.store)
				} else {
					s.useClears(t)
				}
				s.exec(t, "UPDATE product SET price = 10")
				if err := s.store.Clear(t.Context(), "shop", "price"); err != nil {
					t.Fatal(err)
				}
				var all sync.WaitGroup
				for id := 1; id <= 8; id++ {
					all.Go(func() {
						for price := 11; price <= 20; price++ {
							if err := s.changes(t.Context(), id, price); err != nil {
								t.Error(err)
								return
							}
							for _, level := range []pgx.TxIsoLevel{"", pgx.RepeatableRead} {
								err := txpgx.View(t.Context(), s.store, "shop", s.pool, pgx.TxOptions{IsoLevel: level}, func(tx *txpgx.Tx) error {
									got, err := s.load(t.Context(), tx, id)
									if err == nil && got != price {
										t.Errorf("product %d has the price %d, want %d", id, got, price)
									}
									return err
								})
								if err != nil {
									t.Error(err)
									return
								}
							}
						}
					})
				}
				all.Wait()
				s.idle(t)
			})
		}
	}
}
