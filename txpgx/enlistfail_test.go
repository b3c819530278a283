package txpgx_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/txpgx"
)

// A clear that cannot be recorded, and a COMMIT that is refused, are definite.
func TestEnlistedCommitIsRefused(t *testing.T) {
	s := newEnlistedStage(t)
	s.onCommit(t, "RAISE EXCEPTION 'too dear' USING ERRCODE = 'P0001';")
	s.exec(t, "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(20); RETURN NEW; END $$")
	s.exec(t, "CREATE TRIGGER wait BEFORE INSERT ON clear FOR EACH ROW WHEN (NEW.cache = 'slow') EXECUTE FUNCTION wait()")
	s.onModes(t, func(t *testing.T) {
		slow := txcache.Must(txcache.NewCache[int, int](s.store, "slow", nil))
		refused := txcache.Must(txcache.NewCache[int, int](s.store, "refused", nil))
		s.fill(t, 1)
		for _, test := range []struct {
			name string
			want string
			fn   func(*txpgx.Tx) error
		}{
			{"the record", "23514", func(tx *txpgx.Tx) error {
				return errors.Join(s.change(t.Context(), tx, 1, 12), refused.Clear(tx.Cache))
			}},
			{"the record, whose time is up", "57014", func(tx *txpgx.Tx) error {
				_, err := tx.Exec(t.Context(), "SET LOCAL statement_timeout TO '20ms'")
				return errors.Join(err, s.change(t.Context(), tx, 1, 12), slow.Clear(tx.Cache))
			}},
			{"the commit", "P0001", func(tx *txpgx.Tx) error {
				return errors.Join(s.change(t.Context(), tx, 1, 12), s.change(t.Context(), tx, 9, 12))
			}},
			{"aborted before", pgx.ErrTxCommitRollback.Error(), func(tx *txpgx.Tx) error {
				if err := s.change(t.Context(), tx, 1, 12); err != nil {
					return err
				}
				if _, err := tx.Exec(t.Context(), "SELECT 1 / 0"); err == nil {
					t.Error("no error")
				}
				return nil
			}},
		} {
			s.taken()
			err := txpgx.Update(t.Context(), s.store, "shop", s.pool, pgx.TxOptions{}, test.fn)
			if undone := slices.Contains(s.taken(), "rollback"); undone != (test.name != "the commit") {
				t.Errorf("%s: rolled back %v", test.name, undone)
			}
			if answer(err) != test.want || errors.Is(err, txpgx.ErrUnknownOutcome) {
				t.Errorf("%s: %v, want %s", test.name, err, test.want)
			}
			if stored, cached := s.stored(t, 1), s.cached(t, 1); stored != 10 || cached != 10 {
				t.Errorf("%s: the database has %d and the cache %d, want 10 and 10", test.name, stored, cached)
			}
			s.idle(t)
		}
		if n := s.pool.Stat().NewConnsCount(); n != 1 {
			t.Errorf("%d connections were made, want 1", n)
		}
		if n := s.store.Status().InDoubt; n != 0 {
			t.Errorf("%d commits are in doubt", n)
		}
	})
}

// The connection breaks in the commit: the outcome is unknown to the caller, but not to the
// caches, whose clears are committed with it or not at all.
func TestConnectionBreaksInTheEnlistedCommit(t *testing.T) {
	s := newEnlistedStage(t)
	s.onCommit(t, "PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(1);")
	s.onModes(t, func(t *testing.T) {
		s.fill(t, 9)
		err := s.changes(t.Context(), 9, 12)
		if !errors.Is(err, txpgx.ErrUnknownOutcome) {
			t.Errorf("Update: %v, want ErrUnknownOutcome", err)
		}
		if n := s.store.Status().InDoubt; n != 0 {
			t.Errorf("%d commits are in doubt", n)
		}
		s.idle(t)
		if stored, cached := s.stored(t, 9), s.cached(t, 9); stored != 10 || cached != 10 {
			t.Errorf("the database has %d and the cache %d, want 10 and 10", stored, cached)
		}
	})
}

func TestEnlistedContextEnds(t *testing.T) {
	s := newEnlistedStage(t)
	ctx, cancel := context.WithCancel(t.Context())
	err := txpgx.Update(ctx, s.store, "shop", s.pool, pgx.TxOptions{}, func(tx *txpgx.Tx) error {
		defer cancel()
		return s.change(ctx, tx, 1, 12)
	})
	if !errors.Is(err, context.Canceled) || errors.Is(err, txpgx.ErrUnknownOutcome) {
		t.Errorf("Update: %v, want the context's error", err)
	}
	s.expect(t, "begin + "+readClears, updatePrice, "rollback")
	for _, opts := range []pgx.TxOptions{{}, readOnly, {IsoLevel: pgx.Serializable}, {IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}} {
		if _, err := txpgx.Begin(ctx, s.store, "shop", s.pool, opts); !errors.Is(err, context.Canceled) {
			t.Errorf("Begin: %v, want the context's error", err)
		}
	}
	s.idle(t)
}

func TestStateCannotBeRead(t *testing.T) {
	s := newEnlistedStage(t)
	s.exec(t, "DROP TABLE clear")
	for _, opts := range []pgx.TxOptions{{}, readOnly, {IsoLevel: pgx.Serializable}, {IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}} {
		for _, db := range []txpgx.Beginner{s.pool, wrapped{s.pool}} {
			_, err := txpgx.Begin(t.Context(), s.store, "shop", db, opts)
			var missing *pgconn.PgError
			if !errors.Is(err, txcache.ErrUnavailable) || !errors.As(err, &missing) || missing.Code != "42P01" {
				t.Errorf("Begin: %v, want that the table is missing", err)
			}
			s.idle(t)
		}
	}
	if n := s.pool.Stat().NewConnsCount(); n != 1 {
		t.Errorf("%d connections were made, want 1", n)
	}
}
