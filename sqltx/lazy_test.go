package sqltx_test

import (
	"context"
	"database/sql"
	"errors"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-dad15c92/txcache"
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

// A use is a method of *sql.Tx by which the first statement may come.
var uses = map[string]func(ctx context.Context, tx *sqltx.Tx, on *sql.Stmt) error{
	"Exec": func(_ context.Context, tx *sqltx.Tx, _ *sql.Stmt) error { _, err := tx.Exec("S"); return err },
	"ExecContext": func(ctx context.Context, tx *sqltx.Tx, _ *sql.Stmt) error {
		_, err := tx.ExecContext(ctx, "S")
		return err
	},
	"Query": func(_ context.Context, tx *sqltx.Tx, _ *sql.Stmt) error { return drain(tx.Query("S")) },
	"QueryContext": func(ctx context.Context, tx *sqltx.Tx, _ *sql.Stmt) error {
		return drain(tx.QueryContext(ctx, "S"))
	},
	"QueryRow": func(_ context.Context, tx *sqltx.Tx, _ *sql.Stmt) error {
		return tx.QueryRow("S").Scan(new(float64))
	},
	"QueryRowContext": func(ctx context.Context, tx *sqltx.Tx, _ *sql.Stmt) error {
		return tx.QueryRowContext(ctx, "S").Scan(new(float64))
	},
	"Prepare": func(_ context.Context, tx *sqltx.Tx, _ *sql.Stmt) error { return execute(tx.Prepare("S")) },
	"PrepareContext": func(ctx context.Context, tx *sqltx.Tx, _ *sql.Stmt) error {
		return execute(tx.PrepareContext(ctx, "S"))
	},
	"Stmt": func(_ context.Context, tx *sqltx.Tx, on *sql.Stmt) error { return execute(tx.Stmt(on), nil) },
	"StmtContext": func(ctx context.Context, tx *sqltx.Tx, on *sql.Stmt) error {
		return execute(tx.StmtContext(ctx, on), nil)
	},
	"SQL": func(ctx context.Context, tx *sqltx.Tx, _ *sql.Stmt) error {
		inner, err := tx.SQL(ctx)
		if err != nil {
			return err
		}
		if inner != tx.Tx {
			return errors.New("SQL returns another transaction than the field")
		}
		_, err = inner.ExecContext(ctx, "S")
		return err
	},
	"Querier": func(ctx context.Context, tx *sqltx.Tx, _ *sql.Stmt) error {
		_, err := sqltx.Querier(tx).Exec(ctx, "S", nil)
		return err
	},
}

func drain(rows *sql.Rows, err error) error {
	if err != nil {
		return err
	}
	n := 0
	for rows.Next() {
		n++
	}
	if n != 1 {
		return errors.New("not one row")
	}
	return rows.Err()
}

func execute(stmt *sql.Stmt, err error) error {
	if err != nil {
		return err
	}
	_, err = stmt.Exec()
	return err
}

func TestEveryMethodBegins(t *testing.T) {
	for name, use := range uses {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			prepared, err := s.db.Prepare("S")
			if err != nil {
				t.Fatal(err)
			}
			s.taken()
			tx := begin(t, t.Context(), s, readOnly)
			s.expect(t, "Sync")
			for range 2 {
				if err := use(t.Context(), tx, prepared); err != nil {
					t.Error(err)
				}
			}
			if err := tx.Commit(); err != nil {
				t.Error(err)
			}
			got := strings.Join(s.taken(), ", ")
			got = strings.ReplaceAll(got, "PREPARE S, ", "")
			if got != "BEGIN READ ONLY, S, S, COMMIT" {
				t.Errorf("steps are %s", got)
			}
			if got := s.db.Stats().InUse; got != 0 {
				t.Errorf("%d connections are in use after the end", got)
			}
			if err := use(t.Context(), tx, prepared); err != sql.ErrTxDone {
				t.Errorf("after the end: %v, want sql.ErrTxDone itself", err)
			}
		})
	}
}

// The error of the begin is that of the method, as it is, and changes nothing.
func TestEveryMethodReturnsTheErrorOfTheBegin(t *testing.T) {
	for name, use := range uses {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			prepared, err := s.db.Prepare("S")
			if err != nil {
				t.Fatal(err)
			}
			tx := begin(t, t.Context(), s, readOnly)
			s.onBegin = fails
			for range 2 {
				if err := use(t.Context(), tx, prepared); err != errDriver {
					t.Errorf("%v, want that of the begin", err)
				}
			}
			if tx.Tx != nil {
				t.Error("the field is set, though nothing has begun")
			}
			s.onBegin = nil
			if err := use(t.Context(), tx, prepared); err != nil {
				t.Errorf("when the database is back: %v", err)
			}
			if err := tx.Rollback(); err != nil {
				t.Error(err)
			}
			if err := tx.Rollback(); err != sql.ErrTxDone {
				t.Errorf("Rollback again: %v", err)
			}
		})
	}
}

// A transaction that was finished before it had begun answers as that of database/sql, whatever
// it is asked.
func TestEveryMethodAfterTheEnd(t *testing.T) {
	for name, use := range uses {
		for _, end := range []func(*sqltx.Tx) error{(*sqltx.Tx).Commit, (*sqltx.Tx).Rollback} {
			s := newStage(t)
			prepared, err := s.db.Prepare("S")
			if err != nil {
				t.Fatal(err)
			}
			tx := begin(t, t.Context(), s, readOnly)
			if err := end(tx); err != nil {
				t.Fatal(err)
			}
			s.taken()
			if err := use(t.Context(), tx, prepared); err != sql.ErrTxDone {
				t.Errorf("%s: %v, want sql.ErrTxDone itself", name, err)
			}
			s.expect(t)
		}
	}
}

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
