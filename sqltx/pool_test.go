package sqltx_test

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/sqltx"
)

func TestReadsThatHitSendNothing(t *testing.T) {
	s := newStage(t)
	price := newCache(t, s.store)
	fill(t, s.store, price, 10)
	s.taken()
	for _, end := range []func(*sqltx.Tx) error{(*sqltx.Tx).Commit, (*sqltx.Tx).Rollback} {
		tx := begin(t, t.Context(), s, readOnly)
		if got := price.GetOr(t.Context(), tx.Cache, "book", 0); got != 10 {
			t.Errorf("read %d, want the 10 that is cached", got)
		}
		if got := s.db.Stats().OpenConnections; got != 0 {
			t.Errorf("%d connections are open, want none", got)
		}
		if err := end(tx); err != nil {
			t.Error(err)
		}
		for name, again := range map[string]func() error{"Commit": tx.Commit, "Rollback": tx.Rollback} {
			if err := again(); err != sql.ErrTxDone {
				t.Errorf("%s after the end: %v, want sql.ErrTxDone itself", name, err)
			}
		}
		s.expect(t, "Sync")
	}
}

// Forty transactions wait for what another one loads. They hold no connection.
func TestWaitersHoldNoConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.db.SetMaxOpenConns(4)
		price := newCache(t, s.store)
		report := txcache.Must(txcache.NewCache[string, float64](s.store, "report", nil))
		fill(t, s.store, price, 10)
		answer := make(chan struct{})
		s.on = map[string]func() error{"SLOW": func() error { <-answer; return nil }}
		var all sync.WaitGroup
		for range 40 {
			all.Go(func() {
				err := sqltx.View(t.Context(), s.store, "shop", s.db, nil, func(tx *sqltx.Tx) error {
					v, err := report.Load(t.Context(), tx.Cache, "sales", func(ctx context.Context) (v float64, err error) {
						return v, tx.QueryRowContext(ctx, "SLOW").Scan(&v)
					})
					if v != 0 && v != 12 {
						t.Errorf("loaded %v", v)
					}
					return err
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		synctest.Wait()
		if got := s.db.Stats(); got.InUse != 1 || got.WaitCount != 0 {
			t.Errorf("%d connections are in use and %d were waited for; want that of the load alone", got.InUse, got.WaitCount)
		}
		s.taken()
		err := sqltx.View(t.Context(), s.store, "shop", s.db, nil, func(tx *sqltx.Tx) error {
			if got := price.GetOr(t.Context(), tx.Cache, "book", 0); got != 10 {
				t.Errorf("read %d, want the 10 that is cached", got)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		s.expect(t, "Sync")
		close(answer)
		all.Wait()
		if steps := s.taken(); len(steps) != 1 || steps[0] != "COMMIT" {
			t.Errorf("steps are %q, want nothing of the database but the commit of the load", steps)
		}
	})
}

// A writer that holds the only connection loads for itself what a reader is loading that
// waits for a connection.
func TestAWriterDoesNotWaitForAReaderWithoutAConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.db.SetMaxOpenConns(1)
		price := newCache(t, s.store)
		leads, goOn := make(chan bool), make(chan bool)
		load := func(tx *sqltx.Tx) func(context.Context) (int, error) {
			return func(ctx context.Context) (v int, err error) {
				var f float64
				err = tx.QueryRowContext(ctx, "SELECT price").Scan(&f)
				return int(f), err
			}
		}
		done := make(chan error)
		go func() {
			done <- sqltx.View(t.Context(), s.store, "shop", s.db, nil, func(tx *sqltx.Tx) error {
				_, err := price.Load(t.Context(), tx.Cache, "book", func(ctx context.Context) (int, error) {
					close(leads)
					<-goOn
					return load(tx)(ctx)
				})
				return err
			})
		}()
		<-leads
		err := sqltx.Update(t.Context(), s.store, "shop", s.db, nil, func(tx *sqltx.Tx) error {
			close(goOn)
			synctest.Wait() // the reader waits for the connection
			_, err := price.Load(t.Context(), tx.Cache, "book", load(tx))
			return err
		})
		if err = errors.Join(err, <-done); err != nil {
			t.Error(err)
		}
	})
}

// A transaction that has begun in the database leaves no load to the background, which needs a connection too.
func TestWhoHoldsAConnectionLeavesNoLoadToTheBackground(t *testing.T) {
	for _, begun := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			s := newStage(t)
			report := txcache.Must(txcache.NewCache[string, string](s.store, "report", &txcache.CacheOptions{LoadLimit: time.Minute}))
			report.RefreshEarly(func(context.Context, *txcache.Tx, string) (string, error) { return "in the background", nil })
			err := sqltx.View(t.Context(), s.store, "shop", s.db, nil, func(tx *sqltx.Tx) error {
				if begun {
					if _, err := tx.ExecContext(t.Context(), "SET x"); err != nil {
						return err
					}
				}
				v, err := report.Load(t.Context(), tx.Cache, "sales", func(context.Context) (string, error) { return "by itself", nil })
				if (v == "by itself") != begun {
					t.Errorf("a transaction that has begun in the database: %t; loads %s", begun, v)
				}
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
}
