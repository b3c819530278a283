package txpgx_test

import (
	"context"
	"errors"
	"runtime"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/seed-dad15c92/txcache/txpgx"
)

// nested begins a savepoint.
func nested(t *testing.T, tx *txpgx.Tx) *txpgx.Tx {
	t.Helper()
	inner, err := tx.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return inner.(*txpgx.Tx)
}

// both checks the price of a product on both sides of a transaction.
func (s *stage) both(t *testing.T, tx *txpgx.Tx, id, want int) {
	t.Helper()
	var stored int
	if err := tx.QueryRow(t.Context(), selectPrice, id).Scan(&stored); err != nil {
		t.Fatal(err)
	}
	if cached := s.price.GetOr(t.Context(), tx.Cache, id, 0); stored != want || cached != want {
		t.Errorf("of product %d the database has %d and the cache %d, want %d", id, stored, cached, want)
	}
}

// write sets the price on both sides.
func (s *stage) write(t *testing.T, tx *txpgx.Tx, id, price int) {
	t.Helper()
	if err := s.change(t.Context(), tx, id, price); err != nil {
		t.Fatal(err)
	}
	s.price.Set(tx.Cache, id, price)
}

// P2: a savepoint is one of both sides.
func TestSavepoints(t *testing.T) {
	s := newStage(t)
	tx := s.begin(t, pgx.TxOptions{})
	s.write(t, tx, 1, 11)

	undone := nested(t, tx)
	s.write(t, undone, 1, 12)
	inner := nested(t, undone)
	s.write(t, inner, 1, 13)
	if err := inner.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.both(t, undone, 1, 13)
	if err := undone.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.both(t, tx, 1, 11)

	kept := nested(t, tx)
	s.write(t, kept, 1, 14)
	inner = nested(t, kept)
	s.write(t, inner, 1, 15)
	if err := inner.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.both(t, kept, 1, 14)
	if err := kept.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.both(t, tx, 1, 14)
	for _, ended := range []*txpgx.Tx{undone, kept, inner} {
		_, exec := ended.Exec(t.Context(), "SELECT 1")
		for _, err := range []error{exec, ended.Commit(t.Context()), ended.Rollback(t.Context()), ended.QueryRow(t.Context(), "SELECT 1").Scan(nil)} {
			if !errors.Is(err, pgx.ErrTxClosed) {
				t.Errorf("a savepoint that has ended answers %v", err)
			}
		}
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := s.stored(t, 1); got != 14 {
		t.Errorf("the database has %d, want 14", got)
	}
}

// The end of a savepoint, or of the transaction, ends those that were set after it.
func TestSavepointsThatAreLeftOpen(t *testing.T) {
	s := newStage(t)
	before := runtime.NumGoroutine()
	for name, test := range map[string]struct {
		end  func(tx, outer *txpgx.Tx) error
		want int
	}{
		"commit":   {func(tx, _ *txpgx.Tx) error { return tx.Commit(t.Context()) }, 13},
		"rollback": {func(tx, _ *txpgx.Tx) error { return tx.Rollback(t.Context()) }, 10},
		"release, commit": {func(tx, outer *txpgx.Tx) error {
			return errors.Join(outer.Commit(t.Context()), tx.Commit(t.Context()))
		}, 13},
		"rollback to, commit": {func(tx, outer *txpgx.Tx) error {
			return errors.Join(outer.Rollback(t.Context()), tx.Commit(t.Context()))
		}, 11},
	} {
		t.Run(name, func(t *testing.T) {
			s.exec(t, "UPDATE product SET price = 10 WHERE id = 1")
			if err := s.store.Clear(t.Context(), "shop", "price"); err != nil {
				t.Fatal(err)
			}
			tx := s.begin(t, pgx.TxOptions{})
			s.write(t, tx, 1, 11)
			outer := nested(t, tx)
			s.write(t, outer, 1, 12)
			inner := nested(t, tx) // of the transaction, but in time within outer
			s.write(t, inner, 1, 13)
			if err := test.end(tx, outer); err != nil {
				t.Error(err)
			}
			s.taken()
			if err := inner.Rollback(t.Context()); !errors.Is(err, pgx.ErrTxClosed) {
				t.Errorf("the inner one answers %v, want ErrTxClosed", err)
			}
			s.expect(t)
			if got := s.stored(t, 1); got != test.want {
				t.Errorf("the database has %d, want %d", got, test.want)
			}
			s.idle(t)
		})
	}
	s.pool.Reset()
	s.idle(t)
	for end := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before; time.Sleep(time.Millisecond) {
		if time.Now().After(end) { // connections are closed in the background
			t.Fatalf("there were %d goroutines, and are %d", before, runtime.NumGoroutine())
		}
	}
}

// A savepoint whose rollback fails could be kept by the database.
func TestRollbackOfASavepointFails(t *testing.T) {
	s := newStage(t)
	tx := s.begin(t, pgx.TxOptions{})
	inner := nested(t, tx)
	s.write(t, inner, 1, 12)
	rows, err := tx.Query(t.Context(), "SELECT generate_series(1, 10)") // the connection is busy with it
	if err != nil {
		t.Fatal(err)
	}
	if err := inner.Rollback(t.Context()); err == nil {
		t.Error("Rollback: no error")
	}
	rows.Close()
	if err := tx.Commit(t.Context()); err == nil || errors.Is(err, txpgx.ErrUnknownOutcome) {
		t.Errorf("Commit: %v, want a refusal", err)
	}
	if got := s.stored(t, 1); got != 10 {
		t.Errorf("the database has %d, want 10", got)
	}
	s.idle(t)
}

// With a context that is done, pgx sends nothing, and the database would keep what the
// cache has undone.
func TestRollbackOfASavepointAfterTheContext(t *testing.T) {
	s := newStage(t)
	tx := s.begin(t, pgx.TxOptions{})
	s.write(t, tx, 1, 11)
	inner := nested(t, tx)
	s.write(t, inner, 1, 12)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := inner.Rollback(ctx); err != nil {
		t.Error(err)
	}
	s.both(t, tx, 1, 11)
	if err := tx.Commit(t.Context()); err != nil {
		t.Error(err)
	}
}

// A savepoint that is not released is kept on both sides.
func TestReleaseAfterTheContext(t *testing.T) {
	s := newStage(t)
	s.fill(t, 1)
	tx := s.begin(t, pgx.TxOptions{})
	inner := nested(t, tx)
	if err := s.change(t.Context(), inner, 1, 12); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := inner.Commit(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("Commit: %v", err)
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if stored, cached := s.stored(t, 1), s.cached(t, 1); stored != 12 || cached != 0 {
		t.Errorf("the database has %d and the cache %d, want 12 and a miss", stored, cached)
	}
}

// A savepoint of a read-only transaction recovers from an error of the database.
func TestSavepointOfAReadOnlyTransaction(t *testing.T) {
	s := newStage(t)
	err := txpgx.View(t.Context(), s.store, "shop", s.pool, pgx.TxOptions{}, func(tx *txpgx.Tx) error {
		err := pgx.BeginFunc(t.Context(), tx, func(tx pgx.Tx) error {
			_, err := tx.Exec(t.Context(), "SELECT 1 / 0")
			return err
		})
		if answer(err) != "22012" {
			t.Errorf("BeginFunc: %v, want a division by zero", err)
		}
		_, err = s.load(t.Context(), tx, 1)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	s.expect(t, "Sync", "begin read only", "savepoint sp_1", "SELECT 1 / 0", "rollback to savepoint sp_1", selectPrice, "commit")
	if got := s.cached(t, 1); got != 10 {
		t.Errorf("others see %d, want 10", got)
	}
}

// A savepoint that cannot be set leaves both sides as they were.
func TestSavepointThatCannotBeSet(t *testing.T) {
	s := newStage(t)
	tx := s.begin(t, pgx.TxOptions{})
	if _, err := tx.Exec(t.Context(), "SELECT 1 / 0"); err == nil {
		t.Fatal("no error")
	}
	if _, err := tx.Begin(t.Context()); answer(err) != "25P02" {
		t.Errorf("Begin: %v, want that the transaction is aborted", err)
	}
	if err := tx.Commit(t.Context()); err != pgx.ErrTxCommitRollback {
		t.Errorf("Commit: %v", err)
	}
}
