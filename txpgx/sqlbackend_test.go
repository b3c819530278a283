package txpgx_test

import (
	"database/sql"
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/sqlbackend"
	"github.com/seed-dad15c92/txcache/txpgx"
)

// The backend of class "sql", over the same pool, in every mode.
func TestSQLBackend(t *testing.T) {
	s := newStage(t)
	for _, mode := range modes {
		t.Run(mode.String(), func(t *testing.T) {
			s.exec(t, "DROP TABLE IF EXISTS "+sqlbackend.DefaultTable)
			before := s.pool
			defer func() { s.pool = before }()
			s.pool = s.newPool(t, func(cfg *pgxpool.Config) {
				cfg.ConnConfig.DefaultQueryExecMode = mode
				cfg.MaxConns = 2
			})
			db := stdlib.OpenDBFromPool(s.pool)
			t.Cleanup(func() { db.Close() })
			b, err := sqlbackend.New(func(string) (*sql.DB, error) { return db, nil }, sqlbackend.Postgres, nil)
			if err != nil {
				t.Fatal(err)
			}
			s.store = s.newStoreOver(t, b, nil)
			s.price = newCache(t, s.store)
			s.exec(t, "UPDATE product SET price = 10")
			if err := s.store.Clear(t.Context(), "shop", "price"); err != nil { // makes the table, and an epoch
				t.Fatal(err)
			}
			undone := errors.New("undone")
			for round := range 60 { // more than are folded
				price := 11 + round
				s.fill(t, 1)
				err := txpgx.Update(t.Context(), s.store, "shop", s.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead}, func(tx *txpgx.Tx) error {
					if err := s.change(t.Context(), tx, 1, 5); err != nil {
						return err
					}
					return undone
				})
				if err != undone {
					t.Fatal(err)
				}
				if got := s.cached(t, 1); got != price-1 && round > 0 {
					t.Errorf("after a rollback others have %d, want %d", got, price-1)
				}
				level := []pgx.TxIsoLevel{"", pgx.RepeatableRead, pgx.Serializable}[round%3]
				s.taken()
				err = txpgx.Update(t.Context(), s.store, "shop", s.pool, pgx.TxOptions{IsoLevel: level}, func(tx *txpgx.Tx) error {
					if _, err := tx.Exec(t.Context(), updatePrice, price, 1); err != nil {
						return err
					}
					if round%2 == 0 {
						return s.price.Delete(tx.Cache, 1)
					}
					return s.price.Clear(tx.Cache)
				})
				if err != nil {
					t.Fatal(err)
				}
				s.stepsOfSQL(t, level)
				for _, level := range []pgx.TxIsoLevel{"", pgx.RepeatableRead} {
					err := txpgx.View(t.Context(), s.store, "shop", s.pool, pgx.TxOptions{IsoLevel: level}, func(tx *txpgx.Tx) error {
						got, err := s.load(t.Context(), tx, 1)
						if got != price {
							t.Errorf("at level %q the price is %d, want %d", level, got, price)
						}
						return err
					})
					if err != nil {
						t.Fatal(err)
					}
				}
			}
			if s.price.Stats().Hits == 0 {
				t.Error("nothing was a hit")
			}
		})
	}
}

// stepsOfSQL checks that the state came with BEGIN and the record with COMMIT, whatever
// else was done in the background.
func (s *stage) stepsOfSQL(t *testing.T, level pgx.TxIsoLevel) {
	t.Helper()
	steps := s.taken()
	begin := "begin"
	if level != "" {
		begin += " isolation level " + string(level)
	}
	if level != pgx.Serializable {
		begin += " + SELECT"
	}
	begun, recorded := false, false
	for _, step := range steps {
		begun = begun || strings.HasPrefix(step, begin)
		recorded = recorded || strings.HasPrefix(step, "INSERT INTO") && strings.HasSuffix(step, " + commit")
	}
	if !begun || !recorded {
		t.Errorf("steps are %q, want %q and a record with COMMIT", steps, begin)
	}
}

// A transaction with a connection of its own, enlisted by hand.
func TestEnlistByHand(t *testing.T) {
	s := newEnlistedStage(t)
	s.fill(t, 1)
	dbtx, err := s.pool.BeginTx(t.Context(), pgx.TxOptions{IsoLevel: pgx.RepeatableRead})
	if err != nil {
		t.Fatal(err)
	}
	defer dbtx.Rollback(t.Context())
	tx, err := s.store.Enlist(t.Context(), "shop", txpgx.Querier(dbtx), &txcache.EnlistOptions{Exact: true})
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	if _, err := dbtx.Exec(t.Context(), updatePrice, 12, 1); err != nil {
		t.Fatal(err)
	}
	if err := s.price.Clear(tx); err != nil {
		t.Fatal(err)
	}
	if err := tx.CommitWith(t.Context(), dbtx.Commit); err != nil {
		t.Fatal(err)
	}
	s.fill(t, 1)
	if got := s.cached(t, 1); got != 12 {
		t.Errorf("others see %d, want 12", got)
	}
}
