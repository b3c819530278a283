package shop

import (
	"database/sql"
	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/txcachetest"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"
	"testing"
)

func TestShop(t *testing.T) {
	ctx, store := t.Context(), txcachetest.Memory(t)
	txcachetest.DetectForgottenClears(t, store) // each hit is compared with the database
	db, err := sql.Open("pgx", database(t))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	shop := Shop{store, txcache.Must(txcache.NewCache[int64, int64](store, "prices", nil)), bun.NewDB(db, pgdialect.New())}
	expect := func(want ...int64) {
		t.Helper()
		for i, want := range want {
			if got, err := shop.Price(ctx, int64(i+1)); got != want || err != nil {
				t.Errorf("product %d costs %d, %v; want %d", i+1, got, err, want)
			}
		}
	}
	expect(10, 20)
	if err := shop.SetPrice(ctx, 1, 11); err != nil {
		t.Error(err)
	}
	expect(11, 20)
	if refused, err := shop.SetPrices(ctx, map[int64]int64{1: 12, 2: -2}); len(refused) != 1 || err != nil {
		t.Errorf("%v, %v; want one price refused", refused, err)
	}
	expect(12, 20)
}
