package txpgx_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/memorybackend"
	"github.com/seed-dad15c92/txcache/txpgx"
)

// What the examples have; a service opens both when it starts.
var (
	store  = txcache.Must(txcache.New(memorybackend.New(), nil))
	prices = txcache.Must(txcache.NewCache[int, float64](store, "price of the examples", nil))
	pool   *pgxpool.Pool
)

// The transaction that changes what is cached clears the cache.
func ExampleUpdate() {
	ctx := context.Background()
	err := txpgx.Update(ctx, store, "shop", pool, pgx.TxOptions{}, func(tx *txpgx.Tx) error {
		if _, err := tx.Exec(ctx, "UPDATE product SET price = $1 WHERE id = $2", 12, 1); err != nil {
			return err
		}
		return prices.Delete(tx.Cache, 1)
	})
	if errors.Is(err, txpgx.ErrUnknownOutcome) {
		fmt.Println("is the price 12 now?")
	}
}

// A value that is not cached is read within the same transaction, which begins in the
// database with that. If all is cached, no connection is used.
func ExampleView() {
	ctx := context.Background()
	var price float64
	err := txpgx.View(ctx, store, "shop", pool, pgx.TxOptions{}, func(tx *txpgx.Tx) (err error) {
		price, err = prices.Load(ctx, tx.Cache, 1, func(ctx context.Context) (p float64, err error) {
			err = tx.QueryRow(ctx, "SELECT price FROM product WHERE id = $1", 1).Scan(&p)
			return p, err
		})
		return err
	})
	fmt.Println(price, err)
}

// A Tx takes the place of a pgx.Tx.
func ExampleBegin() {
	ctx := context.Background()
	tx, err := txpgx.Begin(ctx, store, "shop", pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer tx.Rollback(ctx)
	if err := sell(ctx, tx, 1); err != nil { // which may be generated code
		fmt.Println(err)
		return
	}
	if err := prices.Clear(tx.Cache); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(tx.Commit(ctx))
}

func sell(ctx context.Context, tx pgx.Tx, id int) error {
	_, err := tx.Exec(ctx, "UPDATE product SET sold = sold + 1 WHERE id = $1", id)
	return err
}

// A savepoint undoes what both sides have done since it was set.
func ExampleTx_Begin() {
	ctx := context.Background()
	err := txpgx.Update(ctx, store, "shop", pool, pgx.TxOptions{}, func(tx *txpgx.Tx) error {
		err := pgx.BeginFunc(ctx, tx, func(inner pgx.Tx) error {
			if _, err := inner.Exec(ctx, "UPDATE product SET price = -1 WHERE id = 1"); err != nil {
				return err
			}
			return prices.Clear(inner.(*txpgx.Tx).Cache)
		})
		if err != nil {
			fmt.Println("the price stays as it is, and so does the cache:", err)
		}
		return nil
	})
	fmt.Println(err)
}
