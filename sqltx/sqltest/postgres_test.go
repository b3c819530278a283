package sqltest_test

import (
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "github.com/lib/pq"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/internal/postgrestest"
	"github.com/seed-dad15c92/txcache/memorybackend"
	"github.com/seed-dad15c92/txcache/sqltx"
)

// onPostgres runs f over a PostgreSQL whose commits take a while, with each of the
// usual drivers.
func onPostgres(t *testing.T, commit string, f func(t *testing.T, s *server)) {
	postgres := postgrestest.Start(t)
	for _, name := range []string{"pgx", "postgres"} {
		t.Run(name, func(t *testing.T) {
			db, err := sql.Open(name, postgres.URI("postgres"))
			if err != nil {
				t.Fatal(err)
			}
			s := &server{db: db, store: txcache.Must(txcache.New(memorybackend.New(), &txcache.Options{Logger: slog.New(slog.DiscardHandler)}))}
			s.price = txcache.Must(txcache.NewCache[int, int64](s.store, "price", &txcache.CacheOptions{ContextFree: true}))
			t.Cleanup(func() {
				if err := db.Close(); err != nil {
					t.Error(err)
				}
				if err := s.store.Close(); err != nil && !errors.Is(err, txcache.ErrInDoubt) {
					t.Error(err)
				}
			})
			for _, statement := range []string{
				"DROP TABLE IF EXISTS product",
				"CREATE TABLE product (id int PRIMARY KEY, price int NOT NULL CHECK (price > 0))",
				"INSERT INTO product SELECT g, 1 FROM generate_series(1, 100) g",
				"CREATE OR REPLACE FUNCTION hesitate() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN " + commit + " RETURN NULL; END $$",
				"CREATE CONSTRAINT TRIGGER hesitate AFTER UPDATE ON product DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION hesitate()",
			} {
				s.exec(t, statement)
			}
			f(t, s)
		})
	}
}

// raise sets the price of a product, as a request with that context does.
func (s *server) raise(ctx context.Context, id int, price int64) error {
	return sqltx.Update(ctx, s.store, database, s.db, nil, func(tx *sqltx.Tx) error {
		if _, err := tx.ExecContext(ctx, "UPDATE product SET price = $1 WHERE id = $2", price, id); err != nil {
			return err
		}
		return s.price.Clear(tx.Cache)
	})
}

// P3: clients hang up at any moment. A commit that was sent is waited for, so
// that none is in doubt.
func TestClientsThatHangUpLeaveNoDoubt(t *testing.T) {
	onPostgres(t, "PERFORM pg_sleep(0.004);", func(t *testing.T, s *server) {
		// The last clients have the patience for a request, however slow the machine.
		patience := 8 * time.Millisecond
		for range 5 {
			start := time.Now()
			if err := s.raise(t.Context(), 1, 2); err != nil {
				t.Fatal(err)
			}
			patience = max(patience, 2*time.Since(start))
		}
		done, gone := 0, 0
		for i := range 300 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i%81)*patience/80)
			err := s.raise(ctx, 1+i%100, 2)
			switch {
			case err == nil && ctx.Err() != nil:
				gone++
			case err == nil:
				done++
			case errors.Is(err, sqltx.ErrUnknownOutcome):
				t.Errorf("request %d: %v", i, err)
			}
			cancel()
		}
		t.Logf("%d requests committed, %d of them after their client was gone", done+gone, gone)
		if gone == 0 {
			t.Error("no client was gone before its commit was done; the test shows nothing")
		}
		if n := s.store.Status().InDoubt; n != 0 {
			t.Errorf("%d commits are in doubt though no connection broke", n)
		}
	})
}

// The same for a commit that the database refuses.
func TestRefusalIsNoDoubt(t *testing.T) {
	onPostgres(t, "RAISE EXCEPTION 'too dear';", func(t *testing.T, s *server) {
		var refusal interface{ SQLState() string }
		if err := s.raise(t.Context(), 1, 2); !errors.As(err, &refusal) || refusal.SQLState() != "P0001" || errors.Is(err, sqltx.ErrUnknownOutcome) {
			t.Errorf("Update: %v, want the refusal", err)
		}
		if n := s.store.Status().InDoubt; n != 0 {
			t.Errorf("%d commits are in doubt that were refused", n)
		}
	})
}

// P3: a connection that breaks while the database commits leaves a doubt.
func TestConnectionThatBreaksLeavesADoubt(t *testing.T) {
	onPostgres(t, "PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(1);", func(t *testing.T, s *server) {
		if err := s.raise(t.Context(), 1, 2); !errors.Is(err, sqltx.ErrUnknownOutcome) {
			t.Errorf("Update: %v, want ErrUnknownOutcome", err)
		}
		if n := s.store.Status().InDoubt; n != 1 {
			t.Errorf("%d commits are in doubt, want the one whose connection broke", n)
		}
	})
}

// A commit of whose answer nobody hears is given up in the end.
func TestCommitIsGivenUpInTheEnd(t *testing.T) {
	postgres := postgrestest.Start(t)
	for _, name := range []string{"pgx", "postgres"} {
		t.Run(name, func(t *testing.T) {
			db, err := sql.Open(name, postgres.URI("postgres"))
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			store := txcache.Must(txcache.New(memorybackend.New(), &txcache.Options{CommitTimeout: 300 * time.Millisecond, Logger: slog.New(slog.DiscardHandler)}))
			defer store.Close()
			price := txcache.Must(txcache.NewCache[int, int64](store, "price", nil))
			for _, statement := range []string{
				"DROP TABLE IF EXISTS slow",
				"CREATE TABLE slow (id int)",
				"CREATE OR REPLACE FUNCTION sleep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(20); RETURN NULL; END $$",
				"CREATE CONSTRAINT TRIGGER sleep AFTER INSERT ON slow DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION sleep()",
			} {
				if _, err := db.ExecContext(t.Context(), statement); err != nil {
					t.Fatal(err)
				}
			}
			start := time.Now()
			err = sqltx.Update(t.Context(), store, database, db, nil, func(tx *sqltx.Tx) error {
				if _, err := tx.ExecContext(t.Context(), "INSERT INTO slow VALUES (1)"); err != nil {
					return err
				}
				return price.Clear(tx.Cache)
			})
			if took := time.Since(start); !errors.Is(err, sqltx.ErrUnknownOutcome) || !errors.Is(err, context.DeadlineExceeded) || took > 15*time.Second {
				t.Errorf("Update: %v after %v, want ErrUnknownOutcome and the deadline in less than the commit takes", err, took)
			}
			if n := store.Status().InDoubt; n != 1 {
				t.Errorf("%d commits are in doubt, want this one", n)
			}
		})
	}
}
