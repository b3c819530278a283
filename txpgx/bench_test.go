package txpgx_test

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/memorybackend"
	"github.com/seed-dad15c92/txcache/txpgx"
)

// plain returns s with a pool that is not traced.
func (s *stage) plain(b *testing.B) *stage {
	b.Helper()
	s.pool = s.newPool(b, func(cfg *pgxpool.Config) { cfg.ConnConfig.Tracer = nil })
	s.store = s.newStoreOver(b, memorybackend.New(), nil)
	s.price = newCache(b, s.store)
	return s
}

// A View whose one read hits: nothing is sent. The store's own View is without a database.
func BenchmarkViewHit(b *testing.B) {
	s := newStage(b).plain(b)
	s.fill(b, 1)
	ctx := b.Context()
	hit := func(tx *txcache.Tx) error {
		if _, ok := s.price.Get(ctx, tx, 1); !ok {
			b.Error("a miss")
		}
		return nil
	}
	b.Run("txpgx", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := txpgx.View(ctx, s.store, "shop", s.pool, pgx.TxOptions{}, func(tx *txpgx.Tx) error { return hit(tx.Cache) }); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("store", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := s.store.View(ctx, "shop", hit); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// A read-only transaction with one statement.
func BenchmarkReadOnlyStatement(b *testing.B) {
	s := newStage(b).plain(b)
	ctx := b.Context()
	read := func(tx pgx.Tx) error { return tx.QueryRow(ctx, selectPrice, 1).Scan(new(int)) }
	b.Run("pgx", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := pgx.BeginTxFunc(ctx, s.pool, readOnly, read); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("View", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := txpgx.View(ctx, s.store, "shop", s.pool, pgx.TxOptions{}, func(tx *txpgx.Tx) error { return read(tx) }); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("View, BEGIN alone", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := txpgx.View(ctx, s.store, "shop", struct{ txpgx.Beginner }{s.pool}, pgx.TxOptions{}, func(tx *txpgx.Tx) error { return read(tx) }); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// A read-write transaction with one statement, which clears or not.
func BenchmarkUpdate(b *testing.B) {
	s := newStage(b).plain(b)
	ctx := b.Context()
	write := func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, updatePrice, 12, 1)
		return err
	}
	b.Run("pgx", func(b *testing.B) {
		for b.Loop() {
			if err := pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{}, write); err != nil {
				b.Fatal(err)
			}
		}
	})
	update := func(b *testing.B, clear bool) {
		for b.Loop() {
			err := txpgx.Update(ctx, s.store, "shop", s.pool, pgx.TxOptions{}, func(tx *txpgx.Tx) error {
				if clear {
					if err := s.price.Clear(tx.Cache); err != nil {
						return err
					}
				}
				return write(tx)
			})
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	b.Run("memory", func(b *testing.B) { update(b, false) })
	b.Run("memory, clear", func(b *testing.B) { update(b, true) })
	s.enlists(b)
	b.Run("enlisted", func(b *testing.B) { update(b, false) })
	b.Run("enlisted, clear", func(b *testing.B) {
		update(b, true)
		b.StopTimer()
		s.exec(b, "DELETE FROM clear WHERE cache <> ''")
		s.exec(b, "VACUUM clear")
	})
}

// What the state adds to BEGIN.
func BenchmarkBegin(b *testing.B) {
	s := newStage(b).plain(b)
	s.enlists(b)
	ctx := b.Context()
	b.Run("BEGIN alone", func(b *testing.B) {
		for b.Loop() {
			tx, err := s.pool.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead})
			if err != nil {
				b.Fatal(err)
			}
			b.StopTimer()
			tx.Rollback(ctx)
			b.StartTimer()
		}
	})
	b.Run("BEGIN and the state", func(b *testing.B) {
		for b.Loop() {
			tx, err := txpgx.Begin(ctx, s.store, "shop", s.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead})
			if err != nil {
				b.Fatal(err)
			}
			b.StopTimer()
			tx.Rollback(ctx)
			b.StartTimer()
		}
	})
	b.Run("BEGIN; SELECT 1", func(b *testing.B) {
		for b.Loop() {
			tx, err := s.pool.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead})
			if err != nil {
				b.Fatal(err)
			}
			if _, err := tx.Exec(ctx, "SELECT 1"); err != nil {
				b.Fatal(err)
			}
			b.StopTimer()
			tx.Rollback(ctx)
			b.StartTimer()
		}
	})
}
