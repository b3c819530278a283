package sqltx_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/sqltx"
)

// The database of these examples prints the statements that it gets.
func shop() (*txcache.Store, *sql.DB, *txcache.Cache[int, float64]) {
	s := &stage{prints: true}
	store, db := s.open()
	return store, db, txcache.Must(txcache.NewCache[int, float64](store, "price", nil))
}

// The transaction that changes what is cached clears the cache.
func ExampleUpdate() {
	store, db, price := shop()
	defer db.Close()
	defer store.Close()
	ctx := context.Background()

	err := sqltx.Update(ctx, store, "shop", db, nil, func(tx *sqltx.Tx) error {
		if _, err := tx.ExecContext(ctx, "UPDATE product SET price = 12 WHERE id = 1"); err != nil {
			return err
		}
		return price.Clear(tx.Cache)
	})
	fmt.Println("error:", err)
	// Output:
	// BEGIN
	// UPDATE product SET price = 12 WHERE id = 1
	// COMMIT
	// error: <nil>
}

// A value that is not cached is read within the same transaction. The second time all
// is cached, and nothing is sent to the database.
func ExampleView() {
	store, db, price := shop()
	defer db.Close()
	defer store.Close()
	ctx := context.Background()

	for range 2 {
		err := sqltx.View(ctx, store, "shop", db, nil, func(tx *sqltx.Tx) error {
			v, err := price.Load(ctx, tx.Cache, 1, func(ctx context.Context) (v float64, err error) {
				err = tx.QueryRowContext(ctx, "SELECT price FROM product WHERE id = 1").Scan(&v)
				return v, err
			})
			fmt.Println("the price is", v)
			return err
		})
		if err != nil {
			fmt.Println(err)
		}
	}
	// Output:
	// BEGIN READ ONLY
	// SELECT price FROM product WHERE id = 1
	// the price is 12
	// COMMIT
	// the price is 12
}

// A Tx takes the place of an *sql.Tx.
func ExampleBegin() {
	store, db, price := shop()
	defer db.Close()
	defer store.Close()
	ctx := context.Background()

	tx, err := sqltx.Begin(ctx, store, "shop", db, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer tx.Rollback()
	price.Set(tx.Cache, 1, 99)
	if err := tx.Rollback(); err != nil {
		fmt.Println(err)
	}
	fmt.Println("committed after all:", !errors.Is(tx.Commit(), sql.ErrTxDone))
	// Output:
	// BEGIN
	// ROLLBACK
	// committed after all: false
}

// A commit whose outcome is unknown is looked up before it is repeated.
func ExampleTx_Commit() {
	store, db, price := shop()
	defer db.Close()
	defer store.Close()
	ctx := context.Background()

	err := sqltx.Update(ctx, store, "shop", db, nil, func(tx *sqltx.Tx) error {
		if _, err := tx.ExecContext(ctx, "INSERT INTO payment (request) VALUES ('7f3a')"); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, "break the connection"); err != nil {
			return err
		}
		return price.Clear(tx.Cache)
	})
	if errors.Is(err, sqltx.ErrUnknownOutcome) {
		fmt.Println("is there a payment with request 7f3a?")
	}
	// Output:
	// BEGIN
	// INSERT INTO payment (request) VALUES ('7f3a')
	// break the connection
	// COMMIT
	// is there a payment with request 7f3a?
}

// What a savepoint undoes, it undoes on both sides.
func ExampleTx_Savepoint() {
	store, db, price := shop()
	defer db.Close()
	defer store.Close()
	ctx := context.Background()

	err := sqltx.Update(ctx, store, "shop", db, nil, func(tx *sqltx.Tx) error {
		err := tx.Savepoint(ctx, func(tx *sqltx.Tx) error {
			if _, err := tx.ExecContext(ctx, "UPDATE product SET price = 12 WHERE id = 1"); err != nil {
				return err
			}
			if err := price.Delete(tx.Cache, 1); err != nil {
				return err
			}
			return errors.New("the supplier does not answer")
		})
		fmt.Println("without a new price:", err)
		return nil
	})
	fmt.Println("error:", err)
	// Output:
	// BEGIN
	// SAVEPOINT txcache_1
	// UPDATE product SET price = 12 WHERE id = 1
	// ROLLBACK TO SAVEPOINT txcache_1
	// RELEASE SAVEPOINT txcache_1
	// without a new price: the supplier does not answer
	// COMMIT
	// error: <nil>
}
