package main

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/config"
	"github.com/seed-dad15c92/txcache/internal/command"
	"github.com/seed-dad15c92/txcache/internal/mariadbtest"
	"github.com/seed-dad15c92/txcache/internal/postgrestest"
	"github.com/seed-dad15c92/txcache/sqlbackend"
)

// An engine is an SQL database that a service uses.
type engine struct {
	dialect, driver, dsn string
}

// onEach runs f over each database.
func onEach(t *testing.T, f func(t *testing.T, e *engine)) {
	t.Run("postgres", func(t *testing.T) {
		f(t, &engine{"postgres", "pgx", postgrestest.Start(t).URI("postgres")})
	})
	t.Run("mysql", func(t *testing.T) { f(t, &engine{"mysql", "mysql", mariadbtest.Start(t).DSN("test")}) })
	t.Run("sqlite", func(t *testing.T) { f(t, sqlite(t)) })
}

// sqlite is a file of SQLite that is there, and empty.
func sqlite(t *testing.T) *engine {
	t.Helper()
	file := filepath.Join(t.TempDir(), "test.db")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return &engine{"sqlite", "sqlite", "file:" + file + "?_pragma=busy_timeout(10000)"}
}

// exec executes statements.
func (e *engine) exec(t *testing.T, statements ...string) {
	t.Helper()
	db, err := sql.Open(e.driver, e.dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, statement := range statements {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
}

// as returns e as another user reaches it, who has a password if that is not empty.
func (e *engine) as(user, password string) *engine {
	if password != "" {
		user += ":" + password
	}
	o := *e
	for _, superuser := range []string{"postgres@", "root@"} {
		o.dsn = strings.Replace(o.dsn, superuser, user+"@", 1)
	}
	return &o
}

// configure writes a cache.toml into an empty folder, which is the present one from now on.
func (e *engine) configure(t *testing.T) {
	t.Helper()
	t.Chdir(t.TempDir())
	text := fmt.Sprintf("[cache]\nclass = \"sql\"\n[cache.sql]\ndialect = %q\ndsn = %q\n", e.dialect, e.dsn)
	if err := os.WriteFile("cache.toml", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// run runs a command line at a terminal where stdin is typed, if that is not "".
func run(t *testing.T, stdin string, args ...string) (out, messages string, code int) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	code = command.Run(ctx, "txcache-sql", args, command.Terminal{In: strings.NewReader(stdin), Out: &stdout, Messages: &stderr, Asks: stdin != ""})
	return stdout.String(), stderr.String(), code
}

// must runs a command line that succeeds.
func must(t *testing.T, args ...string) string {
	t.Helper()
	out, messages, code := run(t, "", args...)
	if code != 0 || messages != "" {
		t.Fatalf("%q: exit code %d: %s", args, code, messages)
	}
	return out
}

// A service is one that uses the caches of a database.
type service struct {
	*txcache.Store
	users *txcache.Cache[int64, string]
}

// serve opens a service by cache.toml.
func serve(t *testing.T) *service {
	t.Helper()
	cfg, err := config.Load("cache.toml")
	if err != nil {
		t.Fatal(err)
	}
	store, err := txcache.OpenConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	s := &service{Store: store, users: txcache.Must(txcache.NewCache[int64, string](store, "users", &txcache.CacheOptions{ContextFree: true}))}
	s.users.TagBy(func(key int64, _ string) []string { return []string{fmt.Sprintf("user:%d", key)} })
	return s
}

// fill makes two databases as a service leaves them.
func (s *service) fill(t *testing.T) {
	t.Helper()
	do := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx := t.Context()
	do(s.Sync(ctx, "a tenant: *"))
	for range 3 {
		do(s.Clear(ctx, "shop", "users", "labels"))
	}
	do(s.Delete(ctx, "shop", "prices", "i64.1", "i64.2"))
	b, ok := s.Enlister().(*sqlbackend.Backend)
	if !ok {
		t.Fatal("the store is not one of class sql")
	}
	do(b.Fold(ctx, "shop"))
	do(s.Clear(ctx, "shop", "labels"))
}

// loaded reports whether a transaction that begins now has to load the user of that number.
func (s *service) loaded(t *testing.T, key int64) bool {
	t.Helper()
	loaded := false
	err := s.View(t.Context(), "shop", func(tx *txcache.Tx) error {
		_, err := s.users.Load(t.Context(), tx, key, func(context.Context) (string, error) {
			loaded = true
			return "Ada", nil
		})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return loaded
}
