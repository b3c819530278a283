package txpgx_test

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/sqltx"
	"github.com/seed-dad15c92/txcache/txpgx"
)

// onCommit makes each commit of a change of product 9 do something in the database.
func (s *stage) onCommit(t *testing.T, do string) {
	t.Helper()
	s.exec(t, "CREATE FUNCTION hesitate() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "+do+" RETURN NULL; END $$")
	s.exec(t, "CREATE CONSTRAINT TRIGGER hesitate AFTER UPDATE ON product DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.id = 9) EXECUTE FUNCTION hesitate()")
}

// P1, P3: the clear comes between fence and publication.
func TestStepsOfACommit(t *testing.T) {
	s := newStage(t)
	s.fill(t, 1)
	s.taken()
	err := txpgx.Update(t.Context(), s.store, "shop", s.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead}, func(tx *txpgx.Tx) error {
		if err := s.change(t.Context(), tx, 1, 12); err != nil {
			return err
		}
		s.expect(t, "Sync", "begin isolation level repeatable read", updatePrice)
		if got := s.cached(t, 1); got != 10 {
			t.Errorf("others see %d before the commit, want 10", got)
		}
		s.taken()
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	s.expect(t, "Fence", "commit", "Clear")
	if got := s.cached(t, 1); got != 0 {
		t.Errorf("others see %d after the commit, want a miss", got)
	}
	s.idle(t)
}

// P2: whatever ends fn but nil, both sides are rolled back.
func TestNoTrace(t *testing.T) {
	s := newStage(t)
	s.fill(t, 1)
	left := errors.New("left")
	for name, leave := range map[string]func() error{
		"error":  func() error { return left },
		"panic":  func() error { panic(left) },
		"Goexit": func() error { runtime.Goexit(); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			s.taken()
			var err error
			var panicked any
			done := make(chan struct{})
			go func() {
				defer close(done)
				defer func() { panicked = recover() }()
				err = txpgx.Update(t.Context(), s.store, "shop", s.pool, pgx.TxOptions{}, func(tx *txpgx.Tx) error {
					if err := s.change(t.Context(), tx, 1, 12); err != nil {
						return err
					}
					s.price.Set(tx.Cache, 1, 12)
					return leave()
				})
			}()
			<-done
			if name == "error" && err != left || name == "panic" && panicked != any(left) {
				t.Errorf("Update: %v, panic %v", err, panicked)
			}
			s.expect(t, "Sync", "begin", updatePrice, "rollback")
			if stored, cached := s.stored(t, 1), s.cached(t, 1); stored != 10 || cached != 10 {
				t.Errorf("the database has %d and the cache %d, want 10 and 10", stored, cached)
			}
			s.idle(t)
		})
	}
}

// A backend that cannot be told refuses the commit; the database is not asked.
func TestFenceFails(t *testing.T) {
	s := newStage(t)
	s.onFence = func() error { return errors.New("down") }
	if err := s.changes(t.Context(), 1, 12); !errors.Is(err, txcache.ErrUnavailable) || errors.Is(err, txpgx.ErrUnknownOutcome) {
		t.Errorf("Update: %v, want ErrUnavailable", err)
	}
	if steps := s.taken(); slices.Contains(steps, "commit") || !slices.Contains(steps, "rollback") {
		t.Errorf("steps are %q, want a rollback and no commit", steps)
	}
	s.idle(t)
}

// What the database refuses is definite: its caches are in use at once, and nothing is
// unknown.
func TestRefusals(t *testing.T) {
	s := newStage(t)
	s.onCommit(t, "RAISE EXCEPTION 'too dear' USING ERRCODE = 'P0001';")
	s.onModes(t, func(t *testing.T) {
		var refusal *pgconn.PgError
		if err := s.changes(t.Context(), 9, 12); !errors.As(err, &refusal) || refusal.Code != "P0001" || errors.Is(err, txpgx.ErrUnknownOutcome) {
			t.Errorf("Update: %v, want the refusal", err)
		}
		s.fill(t, 1)
		err := txpgx.Update(t.Context(), s.store, "shop", s.pool, pgx.TxOptions{}, func(tx *txpgx.Tx) error {
			if err := s.change(t.Context(), tx, 1, 12); err != nil {
				return err
			}
			if _, err := tx.Exec(t.Context(), "SELECT 1 / 0"); err == nil {
				t.Error("no error")
			}
			return nil
		})
		if err != pgx.ErrTxCommitRollback {
			t.Errorf("Update: %v, want ErrTxCommitRollback itself", err)
		}
		if n := s.store.Status().InDoubt; n != 0 {
			t.Errorf("%d commits are in doubt that were refused", n)
		}
		s.fill(t, 1)
		if got := s.cached(t, 1); got != 10 {
			t.Errorf("others see %d, want 10", got)
		}
		s.idle(t)
	})
}

func TestSerializationFailure(t *testing.T) {
	s := newStage(t)
	serializable := pgx.TxOptions{IsoLevel: pgx.Serializable}
	a, b := s.begin(t, serializable), s.begin(t, serializable)
	for i, tx := range []*txpgx.Tx{a, b} {
		var sum int
		if err := tx.QueryRow(t.Context(), "SELECT sum(price) FROM product").Scan(&sum); err != nil {
			t.Fatal(err)
		}
		if err := s.change(t.Context(), tx, 1+i, sum); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := b.Commit(t.Context()); answer(err) != "40001" || errors.Is(err, txpgx.ErrUnknownOutcome) {
		t.Errorf("Commit: %v, want a serialization failure", err)
	}
	if n := s.store.Status().InDoubt; n != 0 {
		t.Errorf("%d commits are in doubt", n)
	}
}

// P3: the backend is ended while it commits; nobody knows what came of it.
func TestConnectionBreaksInTheCommit(t *testing.T) {
	s := newStage(t)
	s.onCommit(t, "PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(1);")
	if txpgx.ErrUnknownOutcome != sqltx.ErrUnknownOutcome {
		t.Error("sqltx has another ErrUnknownOutcome")
	}
	s.fill(t, 1)
	if err := s.changes(t.Context(), 9, 12); !errors.Is(err, txpgx.ErrUnknownOutcome) || answer(err) != "57P01" {
		t.Errorf("Update: %v, want ErrUnknownOutcome", err)
	}
	if n := s.store.Status().InDoubt; n != 1 {
		t.Errorf("%d commits are in doubt, want the one whose connection broke", n)
	}
	if got := s.cached(t, 1); got != 0 {
		t.Errorf("others see %d; the commit may come yet", got)
	}
	s.idle(t)
}

// A connection that is known to be closed before the commit is sent leaves no doubt.
func TestConnectionIsClosedBeforeTheCommit(t *testing.T) {
	s := newStage(t)
	s.fill(t, 1)
	tx := s.begin(t, pgx.TxOptions{})
	if err := s.change(t.Context(), tx, 1, 12); err != nil {
		t.Fatal(err)
	}
	if err := tx.Conn().Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.taken()
	if err := tx.Commit(t.Context()); err == nil || errors.Is(err, txpgx.ErrUnknownOutcome) {
		t.Errorf("Commit: %v, want a definite error", err)
	}
	if got := s.taken(); !slices.Contains(got, "Unfence") || slices.Contains(got, "Clear") {
		t.Errorf("steps are %q, want the fence removed", got)
	}
	if n := s.store.Status().InDoubt; n != 0 {
		t.Errorf("%d commits are in doubt", n)
	}
	if got := s.cached(t, 1); got != 10 {
		t.Errorf("others see %d, want the 10 that is still right", got)
	}
	s.idle(t)
}

// P3: a context that ends before the commit was sent stops it; one that ends later does not.
func TestContextEndsBeforeTheCommit(t *testing.T) {
	s := newStage(t)
	cause := errors.New("the user left")
	for _, began := range []bool{true, false} {
		s.fill(t, 1)
		s.taken()
		opts := pgx.TxOptions{}
		if !began {
			opts = readOnly
		}
		tx := s.begin(t, opts)
		if began {
			if err := s.change(t.Context(), tx, 1, 12); err != nil {
				t.Fatal(err)
			}
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(cause)
		if err := tx.Commit(ctx); !errors.Is(err, cause) || errors.Is(err, txpgx.ErrUnknownOutcome) {
			t.Errorf("Commit: %v, want the cause", err)
		}
		if steps := s.taken(); slices.Contains(steps, "commit") || slices.Contains(steps, "rollback") != began {
			t.Errorf("steps are %q, want a rollback (%v) and no commit", steps, began)
		}
		if stored, cached := s.stored(t, 1), s.cached(t, 1); stored != 10 || cached != 10 {
			t.Errorf("the database has %d and the cache %d, want 10 and 10", stored, cached)
		}
	}
	s.idle(t)
	if n := s.pool.Stat().NewConnsCount(); n != 1 {
		t.Errorf("%d connections were made; a rollback has cost one", n)
	}
}

func TestContextEndsInTheFence(t *testing.T) {
	s := newStage(t)
	s.fill(t, 1)
	s.taken()
	ctx, cancel := context.WithCancel(t.Context())
	s.onFence = func() error { cancel(); return nil }
	if err := s.changes(ctx, 1, 12); !errors.Is(err, context.Canceled) || errors.Is(err, txpgx.ErrUnknownOutcome) {
		t.Errorf("Update: %v, want the context's error", err)
	}
	if steps := s.taken(); slices.Contains(steps, "commit") || !slices.Contains(steps, "rollback") {
		t.Errorf("steps are %q, want a rollback and no commit", steps)
	}
	if n := s.store.Status(); n.InDoubt != 0 || n.Refused != 0 {
		t.Errorf("Status is %+v, want no doubt and nothing refused", n)
	}
	s.idle(t)
}

// The context ends while the database commits: its answer is waited for.
func TestContextEndsInTheCommit(t *testing.T) {
	s := newStage(t)
	s.onCommit(t, "FOR i IN 1..2000 LOOP EXIT WHEN EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory'); PERFORM pg_sleep(0.005); END LOOP;")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error)
	go func() { done <- s.changes(ctx, 9, 12) }()
	for { // until COMMIT is under way
		var n int
		if err := s.pool.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE query = 'commit' AND state = 'active'").Scan(&n); err != nil {
			t.Fatal(err)
		}
		if n > 0 {
			break
		}
		time.Sleep(time.Millisecond)
	}
	cancel()
	s.exec(t, "SELECT pg_advisory_lock(1)")
	if err := <-done; err != nil {
		t.Errorf("Update: %v, want what the database answered, which is yes", err)
	}
	if got := s.stored(t, 9); got != 12 {
		t.Errorf("the database has %d, want 12", got)
	}
	if n := s.store.Status().InDoubt; n != 0 {
		t.Errorf("%d commits are in doubt", n)
	}
}

// A commit that the database does not answer is given up in the end, and is in doubt.
func TestCommitIsGivenUpInTheEnd(t *testing.T) {
	s := newStage(t)
	s.onCommit(t, "PERFORM pg_sleep(20);")
	s.store = s.newStore(t, &txcache.Options{CommitTimeout: 300 * time.Millisecond})
	s.price = newCache(t, s.store)
	start := time.Now()
	err := s.changes(t.Context(), 9, 12)
	if took := time.Since(start); !errors.Is(err, txpgx.ErrUnknownOutcome) || !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "CommitTimeout") || took > 15*time.Second {
		t.Errorf("Update: %v after %v, want ErrUnknownOutcome and the deadline in less than the commit takes", err, took)
	}
	if n := s.store.Status().InDoubt; n != 1 {
		t.Errorf("%d commits are in doubt, want this one", n)
	}
	s.idle(t)
}

// A rollback whose caller has gone leaves a connection of use.
func TestRollbackAfterTheContext(t *testing.T) {
	s := newStage(t)
	for _, opts := range []pgx.TxOptions{{}, readOnly} {
		tx := s.begin(t, opts)
		if err := tx.QueryRow(t.Context(), selectPrice, 1).Scan(new(int)); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		s.taken()
		if err := tx.Rollback(ctx); err != nil {
			t.Error(err)
		}
		s.expect(t, "rollback")
		s.idle(t)
	}
	if n := s.pool.Stat().NewConnsCount(); n != 1 {
		t.Errorf("%d connections were made, want 1", n)
	}
}

// A side that was ended by hand.
func TestCacheWasEnded(t *testing.T) {
	s := newStage(t)
	tx := s.begin(t, pgx.TxOptions{})
	if err := tx.Cache.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(t.Context()); !errors.Is(err, txcache.ErrTxDone) {
		t.Errorf("Commit: %v, want ErrTxDone", err)
	}
	if steps := s.taken(); slices.Contains(steps, "commit") {
		t.Errorf("steps are %q, want no commit", steps)
	}
	s.idle(t)
}

func TestBeginOfReadWriteFails(t *testing.T) {
	s := newStage(t)
	if _, err := txpgx.Begin(t.Context(), s.store, "shop", s.pool, pgx.TxOptions{BeginQuery: "begin no such"}); answer(err) != "42601" {
		t.Errorf("Begin: %v, want the error of BEGIN", err)
	}
	if _, err := txpgx.Begin(t.Context(), s.store, "", s.pool, pgx.TxOptions{}); err == nil {
		t.Error("there is a database without a name")
	}
	if _, err := txpgx.Begin(t.Context(), nil, "shop", s.pool, pgx.TxOptions{}); err == nil {
		t.Error("there is no store")
	}
	if _, err := txpgx.Begin(t.Context(), s.store, "shop", nil, pgx.TxOptions{}); err == nil {
		t.Error("there is no database")
	}
	s.idle(t)
}
