package sqlbackendtest_test

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync/atomic"
	"testing"

	_ "github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "github.com/lib/pq"
	_ "github.com/mattn/go-sqlite3"
	_ "modernc.org/sqlite"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/backend/backendtest"
	"github.com/seed-dad15c92/txcache/internal/mariadbtest"
	"github.com/seed-dad15c92/txcache/internal/postgrestest"
	"github.com/seed-dad15c92/txcache/internal/querier"
	"github.com/seed-dad15c92/txcache/sqlbackend"
)

// An engine is a database and a driver.
type engine struct {
	dialect sqlbackend.Dialect
	driver  string
	dsn     string // of transactions that write
	readDSN string // of those that do not; the same but for SQLite
	loose   string // of those at read committed; another one for MySQL, whose sessions are at it
}

// Each of these is shown over each database, with each of the usual drivers.
func TestOnEachDatabase(t *testing.T) {
	tests := []struct {
		name string
		run  func(t *testing.T, e *engine)
	}{
		{"Rules", testRules},
		{"EightCreateTheTableAtOnce", testEightCreateTheTableAtOnce},
		{"DDLCreatesTheTable", testDDLCreatesTheTable},
		{"TableThatHasGone", testTableThatHasGone},
		{"ExactIsWhatTheLevelSays", testExactIsWhatTheLevelSays},
		{"OneConnection", testOneConnection},
		{"BadRows", testBadRows},
		{"RowsOfOthers", testRowsOfOthers},
		{"ManyRowsAreFolded", testManyRowsAreFolded},
		{"KeysAreForgotten", testKeysAreForgotten},
		{"StatesByDifferenceAreRight", testStatesByDifferenceAreRight},
		{"EqualSumsAreEqualData", testEqualSumsAreEqualData},
	}
	onEach(t, func(t *testing.T, e *engine) {
		for _, test := range tests {
			t.Run(test.name, func(t *testing.T) { test.run(t, e) })
		}
	})
}

// onEach runs f over each database with each driver.
func onEach(t *testing.T, f func(t *testing.T, e *engine)) {
	t.Run("postgres", func(t *testing.T) {
		uri := postgrestest.Start(t).URI("postgres")
		for _, driver := range []string{"pgx", "postgres"} {
			t.Run(driver, func(t *testing.T) { f(t, &engine{sqlbackend.Postgres, driver, uri, uri, uri}) })
		}
	})
	t.Run("mariadb", func(t *testing.T) {
		dsn := mariadbtest.Start(t).DSN("test")
		f(t, &engine{sqlbackend.MySQL, "mysql", dsn, dsn, dsn + "?tx_isolation=%27READ-COMMITTED%27"})
	})
	t.Run("modernc", func(t *testing.T) {
		dsn := "file:" + filepath.Join(t.TempDir(), "test.db") + "?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=synchronous(OFF)"
		f(t, &engine{sqlbackend.SQLite, "sqlite", dsn + "&_txlock=immediate", dsn, dsn})
	})
	t.Run("mattn", func(t *testing.T) {
		dsn := "file:" + filepath.Join(t.TempDir(), "test.db") + "?_busy_timeout=10000&_journal_mode=WAL&_synchronous=OFF"
		f(t, &engine{sqlbackend.SQLite, "sqlite3", dsn + "&_txlock=immediate", dsn, dsn})
	})
}

func (e *engine) open(t *testing.T, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open(e.driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

var tables atomic.Int64

// A place is a table that nobody else has.
type place struct {
	*engine
	t         *testing.T
	db, reads *sql.DB
	table     string
}

func (e *engine) place(t *testing.T) *place {
	t.Helper()
	p := &place{engine: e, t: t, table: fmt.Sprintf("clears_%d", tables.Add(1))}
	p.db = e.open(t, e.dsn)
	p.reads = p.db
	if e.readDSN != e.dsn {
		p.reads = e.open(t, e.readDSN)
	}
	return p
}

// looseDB returns connections whose sessions are at read committed.
func (p *place) looseDB() *sql.DB { return p.open(p.t, p.loose) }

// backend returns a Backend of another process.
func (p *place) backend() *sqlbackend.Backend {
	p.t.Helper()
	b, err := sqlbackend.New(func(string) (*sql.DB, error) { return p.db, nil }, p.dialect, &sqlbackend.Options{Table: p.table, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() {
		if err := b.Close(); err != nil {
			p.t.Error(err)
		}
	})
	return b
}

func (p *place) exec(statement string, args ...any) {
	p.t.Helper()
	if _, err := p.db.ExecContext(p.t.Context(), statement, args...); err != nil {
		p.t.Fatalf("%s: %v", statement, err)
	}
}

// A tx is a transaction of database/sql as a backend.Querier.
type tx struct{ *sql.Tx }

func (q tx) Query(ctx context.Context, sql string, args []any, row func(scan func(...any) error) error) error {
	return querier.Of(q.Tx).Query(ctx, sql, args, row)
}

func (q tx) Exec(ctx context.Context, sql string, args []any) (int64, error) {
	return querier.Of(q.Tx).Exec(ctx, sql, args)
}

func (p *place) begin(ctx context.Context, opts *sql.TxOptions) (tx, error) {
	db := p.db
	if opts.ReadOnly {
		db = p.reads
	}
	switch {
	case p.dialect == sqlbackend.SQLite:
		opts = nil
	case p.dialect == sqlbackend.MySQL && opts.Isolation == sql.LevelReadCommitted:
		db = p.looseDB() // it tells the level of the session only
	}
	t, err := db.BeginTx(ctx, opts)
	return tx{t}, err
}

func (p *place) authority() backendtest.EnlisterAuthority {
	return backendtest.EnlisterAuthority{
		Open: func(context.Context) (backend.Enlister, error) {
			b, err := sqlbackend.New(func(string) (*sql.DB, error) { return p.db, nil }, p.dialect, &sqlbackend.Options{Table: p.table, Logger: slog.New(slog.DiscardHandler)})
			return b, err
		},
		Begin: func(ctx context.Context, opts *sql.TxOptions) (backendtest.EnlistedTx, error) {
			return p.begin(ctx, opts)
		},
		AlwaysExact: p.dialect == sqlbackend.SQLite,
		OneWriter:   p.dialect == sqlbackend.SQLite,
		Fold: func(ctx context.Context, database string) error {
			b := p.backend()
			defer b.Close()
			return b.Fold(ctx, database)
		},
		Lose: func(ctx context.Context, _ string) error {
			_, err := p.db.ExecContext(ctx, "DELETE FROM "+p.table)
			return err
		},
		Backup: func(context.Context) (func(context.Context) error, error) {
			copied := p.table + "_copy"
			p.exec("CREATE TABLE " + copied + " AS SELECT * FROM " + p.table)
			return func(context.Context) error {
				p.exec("DELETE FROM " + p.table)
				p.exec("INSERT INTO " + p.table + " (" + p.database() + ", token, n, clears) SELECT " + p.database() + ", token, n, clears FROM " + copied)
				return nil
			}, nil
		},
	}
}

func (p *place) database() string {
	if p.dialect == sqlbackend.MySQL {
		return "`database`"
	}
	return "database"
}

func testRules(t *testing.T, e *engine) {
	backendtest.RunEnlister(t, func(t *testing.T) backendtest.EnlisterAuthority { return e.place(t).authority() })
}
