package sqltx_test

import (
	"context"
	"database/sql"
	"errors"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-dad15c92/txcache/sqltx"
)

var readOnly = &sql.TxOptions{ReadOnly: true}

// What sqlc and others ask of a transaction; a copy of what sqlc generates.
type dbtx interface {
	ExecContext(context.Context, string, ...any) (sql.Result, error)
	PrepareContext(context.Context, string) (*sql.Stmt, error)
	QueryContext(context.Context, string, ...any) (*sql.Rows, error)
	QueryRowContext(context.Context, string, ...any) *sql.Row
}

var (
	_ dbtx       = (*sqltx.Tx)(nil)
	_ dbtx       = sqltx.DBTX(nil)
	_ sqltx.DBTX = (*sql.DB)(nil)
	_ sqltx.DBTX = (*sql.Conn)(nil)
	_ sqltx.DBTX = (*sql.Tx)(nil)
)

// Several goroutines come with their first statements at once: one of them sends BEGIN.
func TestOneBegin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		tx := begin(t, t.Context(), s, readOnly)
		s.onBegin = func() error { time.Sleep(time.Second); return nil }
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() { ask(t, tx) })
		}
		all.Wait()
		if err := tx.Commit(); err != nil {
			t.Error(err)
		}
		n := 0
		for _, step := range s.taken() {
			if step == "BEGIN READ ONLY" {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%d begins, want 1", n)
		}
	})
}

// An error of BEGIN is that of all who waited for it.
func TestAllWhoWaitGetTheErrorOfTheBegin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		tx := begin(t, t.Context(), s, readOnly)
		defer tx.Rollback()
		s.onBegin = func() error { time.Sleep(time.Second); return errDriver }
		var all sync.WaitGroup
		for range 8 {
			all.Go(func() {
				if _, err := tx.ExecContext(t.Context(), "S"); err != errDriver {
					t.Errorf("%v, want that of the begin", err)
				}
			})
		}
		all.Wait()
		s.expect(t, "Sync", "BEGIN READ ONLY")
	})
}

// A caller waits for another's BEGIN no longer than its context; and one whose context ends during
// its own BEGIN takes nobody with it.
func TestFirstStatementObeysItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		s.db.SetMaxOpenConns(1)
		tx := begin(t, t.Context(), s, readOnly)
		held, err := s.db.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		for i := range 3 {
			all.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i+1)*time.Second)
				defer cancel()
				start := time.Now()
				if _, err := tx.ExecContext(ctx, "S"); err != context.DeadlineExceeded || time.Since(start) != time.Duration(i+1)*time.Second {
					t.Errorf("statement %d: %v after %v", i, err, time.Since(start))
				}
			})
			synctest.Wait() // the first one sends BEGIN, and when it leaves, another
		}
		all.Go(func() { ask(t, tx) })
		time.Sleep(time.Minute)
		held.Close()
		all.Wait()
		s.expect(t, "Sync", "BEGIN READ ONLY", "SELECT")
		if err := tx.Commit(); err != nil {
			t.Error(err)
		}
		if got := s.db.Stats().InUse; got != 0 {
			t.Errorf("%d connections are in use after the end", got)
		}
	})
}

// The end of the context of the first statement is not that of the transaction.
func TestFirstStatementsContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		tx := begin(t, t.Context(), s, readOnly)
		ctx, cancel := context.WithCancel(t.Context())
		if _, err := tx.ExecContext(ctx, "S"); err != nil {
			t.Fatal(err)
		}
		cancel()
		synctest.Wait()
		ask(t, tx)
		if err := tx.Commit(); err != nil {
			t.Error(err)
		}
		s.expect(t, "Sync", "BEGIN READ ONLY", "S", "SELECT", "COMMIT")
	})
}

// Whatever ends a transaction whose BEGIN is under way, no connection stays behind.
func TestEndWhileItBegins(t *testing.T) {
	for name, end := range map[string]func(*sqltx.Tx, context.CancelFunc) error{
		"commit":   func(tx *sqltx.Tx, _ context.CancelFunc) error { return tx.Commit() },
		"rollback": func(tx *sqltx.Tx, _ context.CancelFunc) error { return tx.Rollback() },
		"context":  func(_ *sqltx.Tx, cancel context.CancelFunc) error { cancel(); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newStage(t)
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				tx := begin(t, ctx, s, readOnly)
				s.onBegin = func() error { time.Sleep(time.Second); return nil }
				var all sync.WaitGroup
				all.Go(func() {
					if _, err := tx.ExecContext(t.Context(), "S"); err != sql.ErrTxDone {
						t.Errorf("the statement: %v, want sql.ErrTxDone", err)
					}
				})
				synctest.Wait()
				if err := end(tx, cancel); err != nil {
					t.Error(err)
				}
				all.Wait()
				synctest.Wait() // database/sql may roll back by itself
				if got := s.db.Stats().InUse; got != 0 {
					t.Errorf("%d connections are in use after the end", got)
				}
				s.expect(t, "Sync", "BEGIN READ ONLY", "ROLLBACK")
			})
		})
	}
}

// The context given to Begin ends before there was a statement.
func TestContextDoneBeforeTheFirstStatement(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		price := newCache(t, s.store)
		fill(t, s.store, price, 10)
		s.taken()
		for _, pause := range []time.Duration{0, time.Second} {
			cause := errors.New("the user left")
			ctx, cancel := context.WithCancelCause(t.Context())
			tx := begin(t, ctx, s, readOnly)
			cancel(cause)
			time.Sleep(pause)
			if _, err := tx.ExecContext(t.Context(), "S"); err != sql.ErrTxDone {
				t.Errorf("a statement: %v, want sql.ErrTxDone", err)
			}
			if pause > 0 {
				if _, ok := price.Get(t.Context(), tx.Cache, "book"); ok {
					t.Error("the cache's side is not rolled back")
				}
			}
			if err := tx.Commit(); err != cause {
				t.Errorf("Commit: %v, want the cause", err)
			}
			if err := tx.Rollback(); err != sql.ErrTxDone {
				t.Errorf("Rollback: %v, want sql.ErrTxDone", err)
			}
			s.expect(t, "Sync")
		}
	})
}

func TestPanicInBegin(t *testing.T) {
	s := newStage(t)
	s.onBegin = func() error { panic("boom") }
	tx := begin(t, t.Context(), s, readOnly)
	func() {
		defer func() {
			if p := recover(); p != "boom" {
				t.Errorf("recovered %v, want the driver's panic", p)
			}
		}()
		tx.ExecContext(t.Context(), "S")
	}()
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.onBegin = func() error { runtime.Goexit(); return nil }
		tx.ExecContext(t.Context(), "S")
	}()
	<-done
	s.onBegin = nil
	ask(t, tx) // nobody waits for the begin that has not returned
	if err := tx.Rollback(); err != nil {
		t.Error(err)
	}
}

// A copy of a Tx is the same transaction.
func TestCopy(t *testing.T) {
	s := newStage(t)
	tx := begin(t, t.Context(), s, readOnly)
	other := *tx
	other.Cache = tx.Cache.WithUser(7)
	ask(t, &other)
	ask(t, tx)
	if err := other.Commit(); err != nil {
		t.Error(err)
	}
	if err := tx.Commit(); err != sql.ErrTxDone {
		t.Errorf("Commit: %v, want sql.ErrTxDone", err)
	}
	s.expect(t, "Sync", "BEGIN READ ONLY", "SELECT", "SELECT", "COMMIT")
}
