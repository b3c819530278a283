package sqltx_test

import (
	"context"
	"database/sql"
	"errors"
	"runtime"
	"testing"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/sqltx"
)

type run func(context.Context, *txcache.Store, string, *sql.DB, *sql.TxOptions, func(*sqltx.Tx) error) error

var runs = []struct {
	name, begin string
	run         run
}{
	{"Update", "BEGIN", sqltx.Update},
	{"View", "BEGIN READ ONLY", sqltx.View},
}

func TestUpdateAndViewCommit(t *testing.T) {
	for _, r := range runs {
		t.Run(r.name, func(t *testing.T) {
			s := newStage(t)
			price := newCache(t, s.store)
			err := r.run(t.Context(), s.store, "shop", s.db, nil, func(tx *sqltx.Tx) error {
				ask(t, tx)
				price.Set(tx.Cache, "book", 12)
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			s.expect(t, "Sync", r.begin, "SELECT", "COMMIT")
			if got := seen(t, s.store, price); got != 12 {
				t.Errorf("others see %d, want 12", got)
			}
		})
	}
}

func TestOptionsReachTheDatabase(t *testing.T) {
	opts := &sql.TxOptions{Isolation: sql.LevelSerializable}
	for _, r := range runs {
		s := newStage(t)
		err := r.run(t.Context(), s.store, "shop", s.db, opts, func(tx *sqltx.Tx) error {
			ask(t, tx)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		s.expect(t, "Sync", r.begin+" SERIALIZABLE", "SELECT", "COMMIT")
	}
	if opts.ReadOnly {
		t.Error("View changed its caller's options")
	}
}

func TestViewIsReadOnlyInTheCache(t *testing.T) {
	s := newStage(t)
	price := newCache(t, s.store)
	err := sqltx.View(t.Context(), s.store, "shop", s.db, nil, func(tx *sqltx.Tx) error {
		return price.Clear(tx.Cache)
	})
	if !errors.Is(err, txcache.ErrReadOnly) {
		t.Errorf("View: %v, want ErrReadOnly", err)
	}
}

func TestErrorRollsBackBothSides(t *testing.T) {
	refused := errors.New("out of stock")
	for _, r := range runs {
		t.Run(r.name, func(t *testing.T) {
			s := newStage(t)
			var tx *sqltx.Tx
			err := r.run(t.Context(), s.store, "shop", s.db, nil, func(x *sqltx.Tx) error {
				tx = x
				ask(t, tx)
				return refused
			})
			if err != refused {
				t.Errorf("%s: %v, want the function's error itself", r.name, err)
			}
			s.expect(t, "Sync", r.begin, "SELECT", "ROLLBACK")
			if err := tx.Cache.Rollback(); !errors.Is(err, txcache.ErrTxDone) {
				t.Errorf("the cache's side was left open: %v", err)
			}
		})
	}
}

func TestErrorComesWithThatOfTheRollback(t *testing.T) {
	s := newStage(t)
	s.onRollback = fails
	refused := errors.New("out of stock")
	err := sqltx.Update(t.Context(), s.store, "shop", s.db, nil, func(*sqltx.Tx) error { return refused })
	if !errors.Is(err, refused) || !errors.Is(err, errDriver) {
		t.Errorf("Update: %v, want both %v and %v", err, refused, errDriver)
	}
}

// A function that fails because its context ended has been rolled back by
// database/sql already, which is no second error.
func TestErrorOfAContextComesAlone(t *testing.T) {
	s := newStage(t)
	ctx, cancel := context.WithCancel(t.Context())
	err := sqltx.Update(ctx, s.store, "shop", s.db, nil, func(tx *sqltx.Tx) error {
		cancel()
		tx.Tx.Rollback() // database/sql's own may come a moment later
		return ctx.Err()
	})
	if err != context.Canceled {
		t.Errorf("Update: %v, want context.Canceled itself", err)
	}
}

func TestPanicRollsBackBothSides(t *testing.T) {
	for _, r := range runs {
		t.Run(r.name, func(t *testing.T) {
			s := newStage(t)
			var tx *sqltx.Tx
			defer func() {
				if p := recover(); p != "boom" {
					t.Errorf("recovered %v, want the function's own panic", p)
				}
				s.expect(t, "Sync", r.begin, "SELECT", "ROLLBACK")
				if err := tx.Cache.Rollback(); !errors.Is(err, txcache.ErrTxDone) {
					t.Errorf("the cache's side was left open: %v", err)
				}
			}()
			r.run(t.Context(), s.store, "shop", s.db, nil, func(x *sqltx.Tx) error {
				tx = x
				ask(t, tx)
				panic("boom")
			})
		})
	}
}

func TestGoexitRollsBackBothSides(t *testing.T) {
	s := newStage(t)
	done := make(chan struct{})
	go func() {
		defer close(done)
		sqltx.Update(t.Context(), s.store, "shop", s.db, nil, func(*sqltx.Tx) error {
			runtime.Goexit()
			return nil
		})
	}()
	<-done
	s.expect(t, "Sync", "BEGIN", "ROLLBACK")
}

// P3: a panic in the driver's commit may come before the database commits, or
// after it, or in between.
func TestPanicInCommitIsInDoubt(t *testing.T) {
	s := newStage(t)
	price := newCache(t, s.store)
	fill(t, s.store, price, 10)
	s.taken()
	s.onCommit = func() error { panic("boom") }
	defer func() {
		if p := recover(); p != "boom" {
			t.Errorf("recovered %v, want the driver's panic", p)
		}
		s.expect(t, "Sync", "BEGIN", "Fence", "COMMIT", "Fence")
		if got := seen(t, s.store, price); got != 0 {
			t.Errorf("others see %d, want a miss", got)
		}
	}()
	sqltx.Update(t.Context(), s.store, "shop", s.db, nil, func(tx *sqltx.Tx) error {
		return price.Clear(tx.Cache)
	})
}

func TestNothingRunsWithoutATransaction(t *testing.T) {
	s := newStage(t)
	s.onBegin = fails
	err := sqltx.Update(t.Context(), s.store, "shop", s.db, nil, func(*sqltx.Tx) error {
		t.Error("Update ran its function")
		return nil
	})
	if err != errDriver {
		t.Errorf("Update: %v, want the driver's error", err)
	}
}
