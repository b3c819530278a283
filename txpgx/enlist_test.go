package txpgx_test

import (
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-dad15c92/txcache/txpgx"
)

func newEnlistedStage(t testing.TB) *stage {
	t.Helper()
	s := newStage(t)
	s.enlists(t)
	return s
}

// The state travels with BEGIN, and the record with COMMIT; where no snapshot is needed
// the state comes alone, and where it would make conflicts it comes before.
func TestStepsOfEnlisted(t *testing.T) {
	s := newEnlistedStage(t)
	s.onModes(t, func(t *testing.T) {
		for _, test := range []struct {
			opts  pgx.TxOptions
			begin []string
			ends  []string
		}{
			{pgx.TxOptions{}, []string{"begin + " + readClears}, []string{writeClears + " + commit"}},
			{pgx.TxOptions{IsoLevel: pgx.ReadCommitted}, []string{"begin isolation level read committed + " + readClears}, []string{writeClears + " + commit"}},
			{pgx.TxOptions{IsoLevel: pgx.RepeatableRead}, []string{"begin isolation level repeatable read + " + readClears}, []string{writeClears + " + commit"}},
			{pgx.TxOptions{IsoLevel: pgx.Serializable}, []string{readClears, "begin isolation level serializable"}, []string{writeClears + " + commit"}},
			{pgx.TxOptions{CommitQuery: "commit and no chain"}, []string{"begin + " + readClears}, []string{writeClears + " + commit and no chain"}},
			{pgx.TxOptions{BeginQuery: "begin isolation level serializable"}, []string{"begin isolation level serializable + " + readClears}, []string{writeClears + " + commit"}},
			{readOnly, []string{readClears}, nil},
			{pgx.TxOptions{IsoLevel: pgx.ReadCommitted, AccessMode: pgx.ReadOnly}, []string{readClears}, nil},
			{pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, []string{"begin isolation level repeatable read read only + " + readClears}, []string{"commit"}},
			{pgx.TxOptions{IsoLevel: pgx.Serializable, AccessMode: pgx.ReadOnly}, []string{"begin isolation level serializable read only + " + readClears}, []string{"commit"}},
		} {
			s.taken()
			tx := s.begin(t, test.opts)
			s.expect(t, test.begin...)
			if test.opts.AccessMode != pgx.ReadOnly {
				if err := s.change(t.Context(), tx, 1, 12); err != nil {
					t.Fatal(err)
				}
				s.expect(t, updatePrice)
			} else if n := s.pool.Stat().AcquiredConns(); n != int32(len(test.ends)) {
				t.Errorf("%+v: %d connections are in use", test.opts, n)
			}
			if err := tx.Commit(t.Context()); err != nil {
				t.Error(err)
			}
			s.expect(t, test.ends...)
			s.idle(t)
		}
		if n := s.pool.Stat().NewConnsCount(); n != 1 {
			t.Errorf("%d connections were made, want 1", n)
		}
	})
}

// A level that is the database's default counts as one that was asked for.
func TestEnlistedAtTheDefaultLevel(t *testing.T) {
	s := newEnlistedStage(t)
	s.pool = s.newPool(t, func(cfg *pgxpool.Config) {
		cfg.ConnConfig.RuntimeParams["default_transaction_isolation"] = "repeatable read"
	})
	s.begin(t, readOnly)
	s.expect(t, readClears, "begin read only + "+readClears)
}

// P1, P2: what an enlisted transaction clears is seen with its commit, and not before.
func TestEnlistedClearIsPartOfTheCommit(t *testing.T) {
	s := newEnlistedStage(t)
	for _, level := range []pgx.TxIsoLevel{"", pgx.RepeatableRead, pgx.Serializable} {
		opts := pgx.TxOptions{IsoLevel: level}
		for _, kept := range []bool{false, true} {
			s.exec(t, updatePrice, 10, 1)
			if err := s.store.Clear(t.Context(), "shop", "price"); err != nil {
				t.Fatal(err)
			}
			s.fill(t, 1)
			tx := s.begin(t, opts)
			s.write(t, tx, 1, 12)
			s.both(t, tx, 1, 12)
			if got := s.cached(t, 1); got != 10 {
				t.Errorf("others see %d before the commit, want 10", got)
			}
			want := 10
			if kept {
				want = 12
				if err := tx.Commit(t.Context()); err != nil {
					t.Fatal(err)
				}
			} else if err := tx.Rollback(t.Context()); err != nil {
				t.Fatal(err)
			}
			s.fill(t, 1)
			if got := s.cached(t, 1); got != want {
				t.Errorf("others see %d, want %d", got, want)
			}
		}
	}
	s.idle(t)
}

// What is loaded at read committed may be too new for exact transactions.
func TestLoadsAtReadCommittedAreNotExact(t *testing.T) {
	s := newEnlistedStage(t)
	exact := pgx.TxOptions{IsoLevel: pgx.RepeatableRead}
	s.fill(t, 1)
	s.expect(t, readClears, "begin read only + "+selectPrice, "commit")
	err := txpgx.View(t.Context(), s.store, "shop", s.pool, exact, func(tx *txpgx.Tx) error {
		if _, ok := s.price.Get(t.Context(), tx.Cache, 1); ok {
			t.Error("what was loaded at read committed is a hit at repeatable read")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A Beginner of another type does the same, one statement after the other.
func TestEnlistedOverAnotherBeginner(t *testing.T) {
	s := newEnlistedStage(t)
	const own = "SET LOCAL timezone TO 'UTC'"
	for _, test := range []struct {
		opts  pgx.TxOptions
		begin []string
	}{
		{pgx.TxOptions{}, []string{"begin", own, readClears}},
		{readOnly, []string{"begin read only", own, readClears, "rollback"}},
		{pgx.TxOptions{IsoLevel: pgx.Serializable}, []string{"begin read only", own, readClears, "rollback", "begin isolation level serializable", own}},
	} {
		tx, err := txpgx.Begin(t.Context(), s.store, "shop", wrapped{s.pool}, test.opts)
		if err != nil {
			t.Fatal(err)
		}
		s.expect(t, test.begin...)
		if test.opts.AccessMode == pgx.ReadOnly {
			continue
		}
		if err := s.change(t.Context(), tx, 1, 12); err != nil {
			t.Fatal(err)
		}
		if err := tx.Commit(t.Context()); err != nil {
			t.Error(err)
		}
		s.expect(t, updatePrice, writeClears, "commit")
	}
	s.idle(t)
}

// Large objects know when their transaction has ended.
func TestEnlistedLargeObjects(t *testing.T) {
	s := newEnlistedStage(t)
	tx := s.begin(t, pgx.TxOptions{})
	objects := tx.LargeObjects()
	id, err := objects.Create(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.change(t.Context(), tx, 1, 12); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Error(err)
	}
	if err := objects.Unlink(t.Context(), id); !errors.Is(err, pgx.ErrTxClosed) {
		t.Errorf("Unlink after the end: %v, want ErrTxClosed", err)
	}
	if got := s.cached(t, 1); got != 0 {
		t.Errorf("others see %d", got)
	}
	s.idle(t)
}

func TestQuerierReturnsTheErrorOfARow(t *testing.T) {
	s := newStage(t)
	stop := errors.New("stop")
	rows := 0
	err := txpgx.Querier(s.pool).Query(t.Context(), "SELECT generate_series(1, 3)", nil, func(scan func(...any) error) error {
		if rows++; rows == 2 {
			return stop
		}
		return scan(new(int))
	})
	if err != stop || rows != 2 {
		t.Errorf("Query: %v after %d rows, want the error of the second", err, rows)
	}
	s.idle(t)
	if n, err := txpgx.Querier(s.pool).Exec(t.Context(), updatePrice, []any{10, 1}); n != 1 || err != nil {
		t.Errorf("Exec: %d, %v", n, err)
	}
}

// P12: at repeatable read a hit is what the transaction's own snapshot has, whatever others
// commit and roll back meanwhile; at read committed it is never older than its begin.
func TestHitsAreThoseOfTheSnapshot(t *testing.T) {
	s := newEnlistedStage(t)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	const products = 4
	var hits, stale atomic.Int64
	var writers, readers sync.WaitGroup
	done := make(chan struct{})
	for i := range 3 {
		random := rand.New(rand.NewPCG(seed, uint64(i)))
		writers.Go(func() {
			for range 150 {
				undone := errors.New("undone")
				err := txpgx.Update(t.Context(), s.store, "shop", s.pool, pgx.TxOptions{}, func(tx *txpgx.Tx) error {
					id := 1 + random.IntN(products)
					if _, err := tx.Exec(t.Context(), "UPDATE product SET price = price + 1 WHERE id = $1", id); err != nil {
						return err
					}
					if err := s.price.Clear(tx.Cache); err != nil {
						return err
					}
					if random.IntN(2) == 0 {
						if _, err := s.load(t.Context(), tx, id); err != nil {
							return err
						}
					}
					if random.IntN(4) == 0 {
						return undone
					}
					return nil
				})
				if err != nil && err != undone {
					t.Error(err)
				}
			}
		})
	}
	for i := range 4 {
		random := rand.New(rand.NewPCG(seed, uint64(100+i)))
		readers.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
				}
				exact := random.IntN(3) > 0
				opts := pgx.TxOptions{}
				if exact {
					opts.IsoLevel = pgx.RepeatableRead
				}
				err := txpgx.View(t.Context(), s.store, "shop", s.pool, opts, func(tx *txpgx.Tx) error {
					for range 6 {
						id := 1 + random.IntN(products)
						cached, ok := s.price.Get(t.Context(), tx.Cache, id)
						var stored int
						if err := tx.QueryRow(t.Context(), selectPrice, id).Scan(&stored); err != nil {
							return err
						}
						if ok && exact {
							if hits.Add(1); cached != stored {
								stale.Add(1)
							}
						}
						if !ok {
							if _, err := s.load(t.Context(), tx, id); err != nil {
								return err
							}
						}
					}
					return nil
				})
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	writers.Wait()
	close(done)
	readers.Wait()
	t.Logf("%d hits", hits.Load())
	if n := stale.Load(); n != 0 || hits.Load() == 0 {
		t.Errorf("%d of %d hits differ from the snapshot", n, hits.Load())
	}
	s.idle(t)
}
