package sqlbackendtest_test

import (
	"bytes"
	"context"
	"database/sql"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/mariadbtest"
	"github.com/seed-dad15c92/txcache/internal/postgrestest"
	"github.com/seed-dad15c92/txcache/sqlbackend"
)

// Servers start at once, and each creates the table.
func testEightCreateTheTableAtOnce(t *testing.T, e *engine) {
	for range 5 {
		p := e.place(t)
		start := make(chan struct{})
		errs := make([]error, 8)
		var all sync.WaitGroup
		for i := range errs {
			db := e.open(t, e.dsn)
			if err := db.Ping(); err != nil {
				t.Fatal(err)
			}
			b, err := sqlbackend.New(func(string) (*sql.DB, error) { return db, nil }, e.dialect, &sqlbackend.Options{Table: p.table})
			if err != nil {
				t.Fatal(err)
			}
			defer b.Close()
			all.Go(func() {
				<-start
				errs[i] = b.Prepare(t.Context(), "shop")
			})
		}
		close(start)
		all.Wait()
		for i, err := range errs {
			if err != nil {
				t.Errorf("server %d: %v", i, err)
			}
		}
	}
}

func testDDLCreatesTheTable(t *testing.T, e *engine) {
	p := e.place(t)
	for statement := range strings.SplitSeq(sqlbackend.DDL(e.dialect, p.table), ";\n") {
		if strings.TrimSpace(statement) != "" {
			p.exec(statement)
		}
	}
	if err := p.backend().Prepare(t.Context(), "shop"); err != nil {
		t.Error(err)
	}
}

func TestTableInASchema(t *testing.T) {
	uri := postgrestest.Start(t).URI("postgres")
	e := &engine{dialect: sqlbackend.Postgres, driver: "pgx", dsn: uri, readDSN: uri}
	p := e.place(t)
	p.exec("CREATE SCHEMA cache")
	p.table = "cache.clears"
	if err := p.backend().Prepare(t.Context(), "shop"); err != nil {
		t.Fatal(err)
	}
	p.exec("DELETE FROM cache.clears WHERE database = 'shop'")
}

// A user without rights is told what to do, and after it was done all is well.
func TestMissingRights(t *testing.T) {
	prepare := func(e *engine, open func() *sql.DB, table string) error {
		db := open()
		defer db.Close()
		b, err := sqlbackend.New(func(string) (*sql.DB, error) { return db, nil }, e.dialect, &sqlbackend.Options{Table: table, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		defer b.Close()
		return b.Prepare(t.Context(), "shop")
	}
	mustRefuse := func(t *testing.T, err error, table string) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), "cannot be created") || !strings.Contains(err.Error(), "CREATE TABLE") || !strings.Contains(err.Error(), table) {
			t.Errorf("Prepare returned %v, want an error with the statements", err)
		}
		t.Log(err)
	}
	opener := func(t *testing.T, driver, dsn string) func() *sql.DB {
		return func() *sql.DB {
			db, err := sql.Open(driver, dsn)
			if err != nil {
				t.Fatal(err)
			}
			return db
		}
	}
	t.Run("postgres", func(t *testing.T) {
		uri := postgrestest.Start(t).URI("postgres")
		for _, driver := range []string{"pgx", "postgres"} {
			e := &engine{dialect: sqlbackend.Postgres, driver: driver, dsn: uri, readDSN: uri}
			p := e.place(t)
			p.exec("CREATE ROLE app_" + driver + " LOGIN")
			p.exec("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
			open := opener(t, driver, strings.Replace(uri, "postgres@", "app_"+driver+"@", 1))
			mustRefuse(t, prepare(e, open, p.table), p.table)
			p.exec(sqlbackend.DDL(e.dialect, p.table))
			if err := prepare(e, open, p.table); err == nil || strings.Contains(err.Error(), "CREATE TABLE") {
				t.Errorf("without a grant Prepare returned %v", err)
			}
			p.exec("GRANT SELECT, INSERT, DELETE ON " + p.table + " TO app_" + driver)
			foldsWithoutUpdate(t, p, open)
			p.exec("GRANT UPDATE ON " + p.table + " TO app_" + driver)
			if err := prepare(e, open, p.table); err != nil {
				t.Errorf("with the grant of the documentation: %v", err)
			}
		}
	})
	t.Run("mariadb", func(t *testing.T) {
		s := mariadbtest.Start(t)
		e := &engine{dialect: sqlbackend.MySQL, driver: "mysql", dsn: s.DSN("test"), readDSN: s.DSN("test")}
		p := e.place(t)
		p.exec("DROP DATABASE test") // where every user has every right
		p.exec("CREATE DATABASE shop")
		p.exec("CREATE USER app")
		p.exec("CREATE TABLE shop.product (id int)")
		p.exec("GRANT SELECT ON shop.product TO app")
		open := opener(t, "mysql", strings.Replace(s.DSN("shop"), "root@", "app@", 1))
		mustRefuse(t, prepare(e, open, p.table), p.table)
		p.exec(sqlbackend.DDL(e.dialect, "shop."+p.table))
		p.exec("GRANT SELECT, INSERT, DELETE ON shop." + p.table + " TO app")
		foldsWithoutUpdate(t, p, open)
		p.exec("GRANT UPDATE ON shop." + p.table + " TO app")
		if err := prepare(e, open, p.table); err != nil {
			t.Errorf("with the grant of the documentation: %v", err)
		}
	})
	t.Run("sqlite", func(t *testing.T) {
		file := filepath.Join(t.TempDir(), "test.db")
		e := &engine{dialect: sqlbackend.SQLite, driver: "sqlite", dsn: "file:" + file, readDSN: "file:" + file}
		p := e.place(t)
		p.exec("CREATE TABLE product (id int)")
		mustRefuse(t, prepare(e, opener(t, "sqlite", "file:"+file+"?mode=ro"), p.table), p.table)
	})
}

// A user who may not update the table folds all the same, and the log says once what that asks for.
func foldsWithoutUpdate(t *testing.T, p *place, open func() *sql.DB) {
	t.Helper()
	db := open()
	defer db.Close()
	var log bytes.Buffer
	b, err := sqlbackend.New(func(string) (*sql.DB, error) { return db, nil }, p.dialect, &sqlbackend.Options{Table: p.table, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	var before *backend.State
	for range 5 {
		if before, err = b.Clear(t.Context(), "shop", backend.Fence{ID: backend.NewToken(), Caches: []backend.Generation{{Cache: "a"}}}); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 { // the second one knows that it may not
		if err := b.Fold(t.Context(), "shop"); err != nil {
			t.Errorf("without the right to update Fold returned %v", err)
		}
	}
	if n := strings.Count(log.String(), "may not update the table"); n != 1 {
		t.Errorf("the log says %d times that the user may not update the table:\n%s", n, log.String())
	}
	after, err := b.Sync(t.Context(), "shop")
	if err != nil || after.Token("a") != before.Token("a") || after.Base != before.Base {
		t.Errorf("after a fold Sync returned %+v, %v; want the generations of %+v", after, err, before)
	}
	var rows int
	if err := db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM "+p.table).Scan(&rows); err != nil || rows != 1 {
		t.Errorf("%d rows are left after a fold, %v; want one", rows, err)
	}
}

// A table that has gone is created again, and a transaction that misses it gets advice.
func testTableThatHasGone(t *testing.T, e *engine) {
	p := e.place(t)
	b := p.backend()
	before, err := b.Sync(t.Context(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	p.exec("DROP TABLE " + p.table)
	q, err := p.begin(t.Context(), &sql.TxOptions{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.State(t.Context(), q, "shop")
	q.Rollback()
	if err == nil || !strings.Contains(err.Error(), "Prepare") {
		t.Errorf("State returned %v, want advice", err)
	}
	now, err := b.Sync(t.Context(), "shop")
	if err != nil || now.Base == before.Base || now.AllFenced {
		t.Errorf("Sync returned %+v, %v", now, err)
	}
}

// Each level is what it is.
func testExactIsWhatTheLevelSays(t *testing.T, e *engine) {
	p := e.place(t)
	b := p.backend()
	if err := b.Prepare(t.Context(), "shop"); err != nil {
		t.Fatal(err)
	}
	levels := map[sql.IsolationLevel]bool{sql.LevelDefault: b.DefaultExact()}
	if e.dialect == sqlbackend.Postgres {
		levels[sql.LevelReadUncommitted], levels[sql.LevelReadCommitted] = false, false
		levels[sql.LevelRepeatableRead], levels[sql.LevelSerializable] = true, true
	}
	for level, want := range levels {
		q, err := p.begin(t.Context(), &sql.TxOptions{Isolation: level, ReadOnly: true})
		if err != nil {
			t.Fatal(err)
		}
		_, exact, err := b.StateExact(t.Context(), q, "shop")
		q.Rollback()
		if err != nil || exact != want {
			t.Errorf("at %s: exact %t, %v", level, exact, err)
		}
	}
}

// A caller's transaction may be in the way of the table's creation, and have the only connection.
func testOneConnection(t *testing.T, e *engine) {
	p := e.place(t)
	p.db.SetMaxOpenConns(1)
	b := p.backend()
	ctx, cancel := context.WithTimeout(t.Context(), waitLimit)
	defer cancel()
	if err := b.Prepare(ctx, "shop"); err != nil {
		t.Fatal(err)
	}
	q, err := p.db.BeginTx(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := b.State(ctx, tx{q}, "shop")
	if err != nil || s.AllFenced {
		t.Fatalf("State returned %+v, %v", s, err)
	}
	if _, err := b.Record(ctx, tx{q}, "shop", s, clearOf(s, "a")); err != nil {
		t.Fatal(err)
	}
	if err := q.Commit(); err != nil {
		t.Fatal(err)
	}
	if err := b.Fold(ctx, "shop"); err != nil {
		t.Fatal(err)
	}
	if err := b.Drop(ctx, "shop"); err != nil {
		t.Fatal(err)
	}
}
