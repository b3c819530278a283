package sqltest_test

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/sqlbackend"
	"github.com/seed-dad15c92/txcache/sqltx"
)

func TestPoolsOfAnySize(t *testing.T) {
	onEngines(t, func(t *testing.T, e *engine) {
		t.Run("one connection, a writer waits", func(t *testing.T) { oneConnection(t, e, false) })
		t.Run("one connection, a reader waits", func(t *testing.T) { oneConnection(t, e, true) })
		if !e.inSQL {
			return
		}
		t.Run("read committed is not exact", func(t *testing.T) { readCommittedIsNotExact(t, e) })
		t.Run("goroutines of one", func(t *testing.T) { goroutinesOfOne(t, e) })
		t.Run("loads without a connection", func(t *testing.T) { loadsWithoutAConnection(t, e) })
		t.Run("the first begin on one connection", func(t *testing.T) { firstBegin(t, e, 1) })
		t.Run("the first begin on many", func(t *testing.T) { firstBegin(t, e, 0) })
	})
}

// What a read-write transaction at read committed has loaded is not given to those with a snapshot.
func readCommittedIsNotExact(t *testing.T, e *engine) {
	if e.driver == "sqlite" || e.driver == "sqlite3" {
		t.Skip("SQLite has no read committed")
	}
	s := e.shops(t, 1)[0]
	ctx := t.Context()
	exact := &sql.TxOptions{ReadOnly: true, Isolation: sql.LevelRepeatableRead}
	s.reads(t, exact, 2, 1)
	old, err := sqltx.Begin(ctx, s.store, database, s.db, exact)
	if err != nil {
		t.Fatal(err)
	}
	defer old.Rollback()
	loose, err := sqltx.Begin(ctx, s.store, database, s.db, &sql.TxOptions{Isolation: sql.LevelReadCommitted})
	if err != nil {
		t.Fatal(err)
	}
	defer loose.Rollback()
	s.changes(t, 1, 7)
	if v, err := s.load(ctx, loose, 1); v != 7 || err != nil {
		t.Logf("read committed loads %d, %v", v, err)
	}
	if err := loose.Commit(); err != nil {
		t.Fatal(err)
	}
	own, err := stock(ctx, old, 1)
	if err != nil {
		t.Fatal(err)
	}
	if v, err := s.load(ctx, old, 1); v != own || err != nil {
		t.Errorf("a transaction with one snapshot hits %d, %v; its own row is %d", v, err, own)
	}
}

// A reader that leads a load has no connection yet, and those that have all connections wait for it.
func oneConnection(t *testing.T, e *engine, readOnly bool) {
	s := e.shops(t, 1)[0]
	if s.readDB != s.db {
		t.Skip("readers have their own connections")
	}
	if e.exact() {
		t.Skip("a reader has its connection before")
	}
	s.reads(t, nil, 2, 1)
	s.db.SetMaxOpenConns(1)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	leads, goOn := make(chan bool), make(chan bool)
	done := make(chan error, 1)
	go func() {
		done <- sqltx.View(ctx, s.store, database, s.db, nil, func(tx *sqltx.Tx) error {
			_, err := s.price.Load(ctx, tx.Cache, 1, func(ctx context.Context) (int64, error) {
				close(leads)
				<-goOn
				return stock(ctx, tx, 1)
			})
			return err
		})
	}()
	<-leads
	run := sqltx.Update
	if readOnly {
		run = sqltx.View
	}
	err := run(ctx, s.store, database, s.db, nil, func(tx *sqltx.Tx) error {
		_, err := stock(ctx, tx, 3) // it has the connection from now on
		close(goOn)
		if err != nil {
			return err
		}
		_, err = s.load(ctx, tx, 1)
		return err
	})
	if err = errors.Join(err, <-done); err != nil {
		t.Errorf("two transactions that load one key wait for each other: %v", err)
	}
}

// A service whose goroutines share a transaction lets one at a time use the connection, which
// its driver needs. The cache sends nothing of its own meanwhile.
func goroutinesOfOne(t *testing.T, e *engine) {
	s := e.shops(t, 1)[0]
	ctx := t.Context()
	many := make([]int, 1+products)
	if e.dialect == sqlbackend.SQLite {
		t.Skip("always exact")
	}
	s.reads(t, &sql.TxOptions{ReadOnly: true, Isolation: sql.LevelRepeatableRead}, 1, 1) // exact ones use the cache
	for range 50 {
		err := sqltx.View(ctx, s.store, database, s.db, &sql.TxOptions{Isolation: sql.LevelReadCommitted}, func(tx *sqltx.Tx) error {
			var mu sync.Mutex
			var all sync.WaitGroup
			errs := make([]error, len(many)*4)
			for i := range errs {
				all.Go(func() {
					_, errs[i] = s.price.Load(ctx, tx.Cache, 1000+i, func(ctx context.Context) (int64, error) {
						mu.Lock()
						defer mu.Unlock()
						return stock(ctx, tx, 1)
					})
				})
			}
			all.Wait()
			return errors.Join(errs...)
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := sqltx.Update(ctx, s.store, database, s.db, nil, func(tx *sqltx.Tx) error { return s.price.Clear(tx.Cache) }); err != nil {
			t.Fatal(err)
		}
		s.reads(t, &sql.TxOptions{ReadOnly: true, Isolation: sql.LevelRepeatableRead}, 1, 1)
	}
}

// A transaction whose loader asks the database nothing does not begin in it.
func loadsWithoutAConnection(t *testing.T, e *engine) {
	s := e.shops(t, 1)[0]
	if s.readDB != s.db || e.exact() {
		t.Skip("a reader has its connection before")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	s.reads(t, &sql.TxOptions{ReadOnly: true, Isolation: sql.LevelRepeatableRead}, 1, 1) // exact ones use the cache
	err := sqltx.View(ctx, s.store, database, s.db, nil, func(tx *sqltx.Tx) error {
		_, err := s.price.Load(ctx, tx.Cache, 77, func(context.Context) (int64, error) { return 77, nil })
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	tx, err := sqltx.Begin(ctx, s.store, database, s.db, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := s.price.Load(ctx, tx.Cache, 78, func(context.Context) (int64, error) { return 78, nil }); err != nil {
		t.Fatal(err)
	}
	for s.db.Stats().InUse > 0 && ctx.Err() == nil { // the backend may have one, to fold rows
		time.Sleep(time.Millisecond)
	}
	if n := s.db.Stats().InUse; n > 0 {
		t.Errorf("%d connections are held by a transaction that has sent no statement", n)
	}
}

// A transaction that has begun may be in the way of the table's creation: it has the only
// connection, or in SQLite the lock.
func firstBegin(t *testing.T, e *engine, connections int) {
	s := e.shops(t, 1)[0]
	s.exec(t, "DROP TABLE IF EXISTS txcache_clear")
	s.db.SetMaxOpenConns(connections)
	b, err := sqlbackend.New(func(string) (*sql.DB, error) { return s.db, nil }, e.dialect, nil)
	if err != nil {
		t.Fatal(err)
	}
	store := txcache.Must(txcache.New(b, nil)) // of another process, which does not know the table
	defer store.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	err = sqltx.Update(ctx, store, database, s.db, nil, func(tx *sqltx.Tx) error { return tx.Cache.ClearAll() })
	if err != nil {
		t.Errorf("the first Update: %v", err)
	}
}
