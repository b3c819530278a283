package sqltx_test

import (
	"context"
	"database/sql"
	"errors"
	"runtime"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-dad15c92/txcache/sqltx"
)

var errRefused = errors.New("out of stock")

func TestSavepointKeeps(t *testing.T) {
	s := newStage(t)
	price := newCache(t, s.store)
	tx := begin(t, t.Context(), s, nil)
	err := tx.Savepoint(t.Context(), func(inner *sqltx.Tx) error {
		if inner != tx {
			t.Error("fn gets another transaction")
		}
		price.Set(inner.Cache, "book", 12)
		_, err := inner.ExecContext(t.Context(), "UPDATE")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	s.expect(t, "Sync", "BEGIN", "SAVEPOINT txcache_1", "UPDATE", "RELEASE SAVEPOINT txcache_1", "COMMIT")
	if got := seen(t, s.store, price); got != 12 {
		t.Errorf("others see %d, want 12", got)
	}
}

// P2: whatever ends fn but nil undoes both sides, and the transaction goes on.
func TestSavepointUndoesBothSides(t *testing.T) {
	for name, fail := range map[string]func() error{
		"error":  func() error { return errRefused },
		"panic":  func() error { panic(errRefused) },
		"goexit": func() error { runtime.Goexit(); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			price := newCache(t, s.store)
			fill(t, s.store, price, 10)
			tx := begin(t, t.Context(), s, nil)
			s.taken()
			done := make(chan any)
			go func() {
				var result any
				defer func() {
					if p := recover(); p != nil {
						result = p
					}
					done <- result
				}()
				result = tx.Savepoint(t.Context(), func(*sqltx.Tx) error {
					if err := price.Clear(tx.Cache); err != nil {
						return err
					}
					price.Set(tx.Cache, "book", 12)
					if _, err := tx.ExecContext(t.Context(), "UPDATE"); err != nil {
						return err
					}
					return fail()
				})
			}()
			if got := <-done; got != errRefused && name != "goexit" {
				t.Errorf("Savepoint: %v, want the error itself", got)
			}
			if got := price.GetOr(t.Context(), tx.Cache, "book", 0); got != 10 {
				t.Errorf("the transaction reads %d, want the 10 of before the savepoint", got)
			}
			if err := tx.Commit(); err != nil {
				t.Fatal(err)
			}
			s.expect(t, "SAVEPOINT txcache_1", "UPDATE", "ROLLBACK TO SAVEPOINT txcache_1", "RELEASE SAVEPOINT txcache_1", "COMMIT")
		})
	}
}

func TestSavepointsNest(t *testing.T) {
	s := newStage(t)
	price := newCache(t, s.store)
	tx := begin(t, t.Context(), s, nil)
	s.taken()
	err := tx.Savepoint(t.Context(), func(*sqltx.Tx) error {
		price.Set(tx.Cache, "book", 11)
		for range 2 {
			err := tx.Savepoint(t.Context(), func(*sqltx.Tx) error {
				price.Set(tx.Cache, "book", 12)
				return errRefused
			})
			if err != errRefused {
				t.Errorf("the inner one: %v", err)
			}
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	s.expect(t, "SAVEPOINT txcache_1",
		"SAVEPOINT txcache_2", "ROLLBACK TO SAVEPOINT txcache_2", "RELEASE SAVEPOINT txcache_2",
		"SAVEPOINT txcache_3", "ROLLBACK TO SAVEPOINT txcache_3", "RELEASE SAVEPOINT txcache_3",
		"RELEASE SAVEPOINT txcache_1", "COMMIT")
	if got := seen(t, s.store, price); got != 11 {
		t.Errorf("others see %d, want 11", got)
	}
}

// A transaction that has not begun begins with its first statement, also within
// savepoints; those that have ended by then are nobody's.
func TestSavepointBeforeTheFirstStatement(t *testing.T) {
	s := newStage(t)
	price := newCache(t, s.store)
	fill(t, s.store, price, 10)
	s.taken()
	tx := begin(t, t.Context(), s, readOnly)
	for _, want := range []error{nil, errRefused} {
		err := tx.Savepoint(t.Context(), func(*sqltx.Tx) error {
			if got := price.GetOr(t.Context(), tx.Cache, "book", 0); got != 10 {
				t.Errorf("read %d, want the 10 that is cached", got)
			}
			return want
		})
		if err != want {
			t.Errorf("Savepoint: %v, want %v", err, want)
		}
	}
	s.expect(t, "Sync")
	err := tx.Savepoint(t.Context(), func(*sqltx.Tx) error {
		return tx.Savepoint(t.Context(), func(*sqltx.Tx) error {
			ask(t, tx)
			return errRefused
		})
	})
	if err != errRefused {
		t.Errorf("Savepoint: %v", err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	s.expect(t, "BEGIN READ ONLY", "SAVEPOINT txcache_3", "SAVEPOINT txcache_4", "SELECT",
		"ROLLBACK TO SAVEPOINT txcache_4", "RELEASE SAVEPOINT txcache_4",
		"ROLLBACK TO SAVEPOINT txcache_3", "RELEASE SAVEPOINT txcache_3", "COMMIT")
}

// A savepoint that cannot be set after BEGIN is as a BEGIN that fails.
func TestSavepointFailsAfterBegin(t *testing.T) {
	s := newStage(t)
	s.on = map[string]func() error{"SAVEPOINT txcache_1": fails}
	tx := begin(t, t.Context(), s, readOnly)
	err := tx.Savepoint(t.Context(), func(*sqltx.Tx) error {
		_, err := tx.ExecContext(t.Context(), "S")
		return err
	})
	if err != errDriver {
		t.Errorf("Savepoint: %v, want the driver's error", err)
	}
	ask(t, tx)
	if err := tx.Commit(); err != nil {
		t.Error(err)
	}
	s.expect(t, "Sync", "BEGIN READ ONLY", "SAVEPOINT txcache_1", "ROLLBACK", "BEGIN READ ONLY", "SELECT", "COMMIT")
}

func TestSavepointThatIsNotSet(t *testing.T) {
	s := newStage(t)
	s.on = map[string]func() error{"SAVEPOINT txcache_1": fails}
	tx := begin(t, t.Context(), s, nil)
	err := tx.Savepoint(t.Context(), func(*sqltx.Tx) error {
		t.Error("fn runs without a savepoint")
		return nil
	})
	if err != errDriver {
		t.Errorf("Savepoint: %v, want the driver's error", err)
	}
	if err := tx.Commit(); err != nil {
		t.Error(err)
	}
}

// PostgreSQL releases no savepoint of a transaction that it has aborted because of a
// statement whose error fn did not return.
func TestSavepointThatIsNotReleased(t *testing.T) {
	s := newStage(t)
	price := newCache(t, s.store)
	fill(t, s.store, price, 10)
	aborted := sqlError("25P02")
	s.on = map[string]func() error{"RELEASE SAVEPOINT txcache_1": func() error {
		s.on = nil
		return aborted
	}}
	tx := begin(t, t.Context(), s, nil)
	s.taken()
	err := tx.Savepoint(t.Context(), func(*sqltx.Tx) error { return price.Clear(tx.Cache) })
	if err != aborted {
		t.Errorf("Savepoint: %v, want the database's error", err)
	}
	if err := tx.Commit(); err != nil {
		t.Error(err)
	}
	s.expect(t, "SAVEPOINT txcache_1", "RELEASE SAVEPOINT txcache_1", "ROLLBACK TO SAVEPOINT txcache_1", "RELEASE SAVEPOINT txcache_1", "COMMIT")
	if got := seen(t, s.store, price); got != 10 {
		t.Errorf("others see %d, want the 10 that is still right", got)
	}
}

// P2: the database has not undone what the savepoint was for. MySQL, for one, rolls the whole
// transaction back after a deadlock, and each statement that follows would be a
// transaction of its own.
func TestSavepointThatIsNotUndone(t *testing.T) {
	for name, outer := range map[string]error{"the error is returned": errRefused, "the error is not returned": nil} {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			price := newCache(t, s.store)
			fill(t, s.store, price, 10)
			lost := errors.New("SAVEPOINT txcache_2 does not exist")
			s.on = map[string]func() error{"ROLLBACK TO SAVEPOINT txcache_2": func() error { return lost }}
			tx := begin(t, t.Context(), s, nil)
			s.taken()
			err := tx.Savepoint(t.Context(), func(*sqltx.Tx) error {
				err := tx.Savepoint(t.Context(), func(*sqltx.Tx) error {
					if err := price.Clear(tx.Cache); err != nil {
						return err
					}
					return errRefused
				})
				if !errors.Is(err, errRefused) || !errors.Is(err, lost) {
					t.Errorf("the inner Savepoint: %v, want both errors", err)
				}
				if got := price.GetOr(t.Context(), tx.Cache, "book", 0); got != 10 {
					t.Errorf("read %d, want the 10 of before the savepoint", got)
				}
				for name, use := range uses {
					if err := use(t.Context(), tx, nil); !errors.Is(err, lost) {
						t.Errorf("%s: %v, want the savepoint's error", name, err)
					}
				}
				return outer
			})
			if outer != nil && err != outer || outer == nil && !errors.Is(err, lost) {
				t.Errorf("the outer Savepoint: %v", err)
			}
			if err := price.Clear(tx.Cache); err != nil {
				t.Fatal(err)
			}
			if err := tx.Commit(); !errors.Is(err, lost) || errors.Is(err, sqltx.ErrUnknownOutcome) {
				t.Errorf("Commit: %v, want the savepoint's error", err)
			}
			s.expect(t, "SAVEPOINT txcache_1", "SAVEPOINT txcache_2", "ROLLBACK TO SAVEPOINT txcache_2", "Fence", "ROLLBACK")
			if got := seen(t, s.store, price); got != 10 {
				t.Errorf("others see %d, want the 10 that is still right", got)
			}
			if err := tx.Commit(); err != sql.ErrTxDone {
				t.Errorf("Commit again: %v, want sql.ErrTxDone itself", err)
			}
		})
	}
}

// A caller whose statement took too long goes on without it.
func TestSavepointWhoseContextEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t)
		tx := begin(t, t.Context(), s, nil)
		s.taken()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		err := tx.Savepoint(ctx, func(*sqltx.Tx) error {
			<-ctx.Done()
			return ctx.Err()
		})
		if err != context.DeadlineExceeded {
			t.Errorf("Savepoint: %v, want the context's error itself", err)
		}
		if err := tx.Commit(); err != nil {
			t.Error(err)
		}
		s.expect(t, "SAVEPOINT txcache_1", "ROLLBACK TO SAVEPOINT txcache_1", "RELEASE SAVEPOINT txcache_1", "COMMIT")
	})
}

// The whole transaction has ended when fn returns: there is nothing left to undo.
func TestSavepointOfAnEndedTransaction(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for name, end := range map[string]func(*sqltx.Tx, context.CancelFunc){
			"rollback": func(tx *sqltx.Tx, _ context.CancelFunc) { tx.Rollback() },
			"context":  func(_ *sqltx.Tx, cancel context.CancelFunc) { cancel(); synctest.Wait() },
		} {
			for _, opts := range []*sql.TxOptions{nil, readOnly} {
				s := newStage(t)
				ctx, cancel := context.WithCancel(t.Context())
				tx := begin(t, ctx, s, opts)
				err := tx.Savepoint(t.Context(), func(*sqltx.Tx) error {
					end(tx, cancel)
					return errRefused
				})
				if err != errRefused {
					t.Errorf("%s: Savepoint: %v, want the error itself", name, err)
				}
				err = tx.Savepoint(t.Context(), func(*sqltx.Tx) error {
					t.Errorf("%s: fn runs after the end", name)
					return nil
				})
				if err != sql.ErrTxDone {
					t.Errorf("%s: Savepoint after the end: %v, want sql.ErrTxDone itself", name, err)
				}
				cancel()
			}
		}
	})
}
