package databases

import (
	"context"
	"errors"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/examples/databases/internal/shoptest"
	"github.com/seed-dad15c92/txcache/txcachetest"
)

// What docs/databases.md says of transactions that are joined by hand: these are mistakes, and what
// comes of them.

const setPrice = "UPDATE product SET price = $1 WHERE id = 1"

// cached returns what others find in the cache.
func cached(t *testing.T, store *txcache.Store, prices *txcache.Cache[int64, int64]) (price int64) {
	t.Helper()
	err := store.View(t.Context(), "shop", func(tx *txcache.Tx) error {
		price, _ = prices.Get(t.Context(), tx, 1)
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	return price
}

// A transaction of pgx within another one is a savepoint. If the cache does not hear that it was
// rolled back, it publishes what is in no database.
func TestNestedTransactionThatTheCacheDoesNotHearOf(t *testing.T) {
	store := txcachetest.Memory(t)
	prices := txcache.Must(txcache.NewCache[int64, int64](store, "prices", nil))
	pool, err := pgxpool.New(t.Context(), shoptest.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	undone := errors.New("undone")
	err = txcache.InTx(t.Context(), store, "shop", pool.Begin, func(ctx context.Context, tx *txcache.Tx, db pgx.Tx) error {
		err := pgx.BeginFunc(ctx, db, func(inner pgx.Tx) error {
			if _, err := inner.Exec(ctx, setPrice, 99); err != nil {
				return err
			}
			if err := prices.Delete(tx, 1); err != nil {
				return err
			}
			prices.Set(tx, 1, 99)
			return undone
		})
		if err != undone {
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	var price int64
	if err := pool.QueryRow(t.Context(), "SELECT price FROM product WHERE id = 1").Scan(&price); err != nil {
		t.Fatal(err)
	}
	if got := cached(t, store, prices); price != 10 || got != 99 {
		t.Errorf("the database has %d and the cache %d; the page says 10 and 99", price, got)
	}
}

// If gorm commits by itself, the clear comes after the commit: until then, and for ever if the
// process dies in between, others read the old value.
func TestCommitThatTheORMDoesItself(t *testing.T) {
	store := txcachetest.Memory(t)
	prices := txcache.Must(txcache.NewCache[int64, int64](store, "prices", nil))
	db, err := gorm.Open(postgres.Open(shoptest.Database(t)))
	if err != nil {
		t.Fatal(err)
	}
	fill := func(tx *txcache.Tx) error {
		prices.Set(tx, 1, 10)
		return nil
	}
	if err := store.View(t.Context(), "shop", fill); err != nil {
		t.Fatal(err)
	}
	err = store.Update(t.Context(), "shop", func(tx *txcache.Tx) error {
		err := db.Transaction(func(db *gorm.DB) error {
			return errors.Join(db.Exec("UPDATE product SET price = 12 WHERE id = 1").Error, prices.Delete(tx, 1))
		})
		if got := cached(t, store, prices); got != 10 {
			t.Errorf("after the database's commit others find %d; the page says 10", got)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
