package sqltx_test

import (
	"context"
	"database/sql"
	"testing"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/memorybackend"
	"github.com/seed-dad15c92/txcache/sqltx"
)

// BenchmarkViewOfAHit is a read-only transaction with one hit in memory, which sends the
// database nothing.
func BenchmarkViewOfAHit(b *testing.B) {
	store := txcache.Must(txcache.New(memorybackend.New(), nil))
	defer store.Close()
	s := &stage{}
	db := sql.OpenDB(connector{s})
	defer db.Close()
	price := newCache(b, store)
	fill(b, store, price, 12)
	request, cancel := context.WithCancel(b.Context())
	defer cancel()
	for _, of := range []struct {
		name string
		ctx  context.Context
	}{{"background", context.Background()}, {"request", request}} {
		b.Run(of.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				err := sqltx.View(of.ctx, store, "shop", db, nil, func(tx *sqltx.Tx) error {
					if v := price.GetOr(of.ctx, tx.Cache, "book", 0); v != 12 {
						b.Fatal(v)
					}
					return nil
				})
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("store", func(b *testing.B) { // the cache's side alone
		b.ReportAllocs()
		for b.Loop() {
			err := store.View(context.Background(), "shop", func(tx *txcache.Tx) error {
				if v := price.GetOr(context.Background(), tx, "book", 0); v != 12 {
					b.Fatal(v)
				}
				return nil
			})
			if err != nil {
				b.Fatal(err)
			}
		}
	})
	if steps := s.taken(); len(steps) != 0 {
		b.Errorf("steps are %q, want none", steps)
	}
}
