package sqltest_test

import (
	"database/sql"
	"strings"
	"testing"

	"github.com/seed-dad15c92/txcache/sqlbackend"
	"github.com/seed-dad15c92/txcache/sqltx"
)

// At repeatable read, or in a database where that is the default, an old snapshot reads its
// own values, cached or not, and its fills are nobody's who came later.
func keepsOldSnapshots(t *testing.T, e *engine) {
	if !e.inSQL {
		t.Skip("with the generations elsewhere a hit may be older than the snapshot")
	}
	opts := &sql.TxOptions{ReadOnly: true}
	if e.dialect != sqlbackend.SQLite {
		opts.Isolation = sql.LevelRepeatableRead
	}
	shops := e.shops(t, 2)
	a, b := shops[0], shops[1]
	a.reads(t, opts, 1, 1) // cached
	old, err := sqltx.Begin(t.Context(), a.store, database, a.readDB, opts)
	if err != nil {
		t.Fatal(err)
	}
	defer old.Rollback()
	b.changes(t, 1, 10)
	b.changes(t, 2, 20)
	if got, hit := a.price.Get(t.Context(), old.Cache, 1); got != 1 || !hit {
		t.Errorf("the old snapshot reads %d, %v; want to hit its own 1", got, hit)
	}
	a.reads(t, opts, 1, 10)
	a.reads(t, opts, 2, 20)
	for id := range 2 {
		if got, err := a.load(t.Context(), old, id+1); got != 1 || err != nil {
			t.Errorf("the old snapshot reads product %d as %d, %v; want its own 1", id+1, got, err)
		}
	}
	if err := old.Commit(); err != nil {
		t.Error(err)
	}
	a.reads(t, opts, 1, 10)
	a.reads(t, opts, 2, 20)
}

// A serializable transaction does not conflict with one that clears another key, or
// another cache.
func isSerializable(t *testing.T, e *engine) {
	if e.dialect == sqlbackend.SQLite {
		t.Skip("one writer at a time")
	}
	s := e.shops(t, 1)[0]
	opts := &sql.TxOptions{Isolation: sql.LevelSerializable}
	var all []*sqltx.Tx
	for id := 1; id <= 4; id++ {
		tx, err := sqltx.Begin(t.Context(), s.store, database, s.db, opts)
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Rollback()
		all = append(all, tx)
	}
	for i, tx := range all {
		if err := s.change(t.Context(), tx, i+1, 10); err != nil {
			t.Fatal(err)
		}
	}
	for _, tx := range all {
		if err := tx.Commit(); err != nil {
			t.Error(err)
		}
	}
	for i := range all {
		s.reads(t, nil, i+1, 10)
		s.reads(t, &sql.TxOptions{Isolation: sql.LevelSerializable}, i+1, 10)
	}
}

// A transaction of SQLite that reads first, and it does for its state, cannot write
// when another one has written since. The error says what helps.
func needsImmediate(t *testing.T, e *engine) {
	if e.dialect != sqlbackend.SQLite || !e.inSQL {
		t.Skip("of SQLite with the generations in it")
	}
	shops := e.shops(t, 2)
	deferred := e.open(t, e.deferred())
	tx, err := sqltx.Begin(t.Context(), shops[0].store, database, deferred, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	shops[1].changes(t, 1, 10)
	err = shops[0].change(t.Context(), tx, 2, 20)
	if err == nil || !strings.Contains(err.Error(), "_txlock=immediate") {
		t.Errorf("the statement: %v, want advice", err)
	}
}
