// Commit is the second program of docs/tutorial.md: a change, its commit, and a
// rollback.
package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/config"
	"github.com/seed-dad15c92/txcache/examples/tutorial/table"
	"github.com/seed-dad15c92/txcache/sqltx"
)

// A shop has a database and a cache of what it reads there.
type shop struct {
	db     *sql.DB
	store  *txcache.Store
	prices *txcache.Cache[string, int]
}

// price reads a price in a transaction of its own.
func (s *shop) price(ctx context.Context) (price int) {
	err := sqltx.View(ctx, s.store, "shop", s.db, nil, func(tx *sqltx.Tx) (err error) {
		price, err = s.prices.Load(ctx, tx.Cache, "pen", func(ctx context.Context) (price int, err error) {
			err = tx.QueryRowContext(ctx, "SELECT price FROM product WHERE name = $1", "pen").Scan(&price)
			return price, err
		})
		return err
	})
	if err != nil {
		log.Fatal(err)
	}
	return price
}

// raise changes the price, calls before with the transaction still open, and
// commits if that returns nil.
func (s *shop) raise(ctx context.Context, price int, before func() error) error {
	return sqltx.Update(ctx, s.store, "shop", s.db, nil, func(tx *sqltx.Tx) error {
		if _, err := tx.ExecContext(ctx, "UPDATE product SET price = $1 WHERE name = $2", price, "pen"); err != nil {
			return err
		}
		if err := s.prices.Delete(tx.Cache, "pen"); err != nil { // the row has changed
			return err
		}
		return before()
	})
}

func main() {
	ctx := context.Background()
	db := table.Open(os.Stdout)
	defer db.Close()
	store := txcache.Must(txcache.OpenConfig(ctx, config.Default()))
	defer store.Close()
	s := &shop{db, store, txcache.Must(txcache.NewCache[string, int](store, "prices", nil))}

	fmt.Println("at first the pen costs", s.price(ctx))
	err := s.raise(ctx, 3, func() error {
		fmt.Println("before the commit others read", s.price(ctx))
		return nil
	})
	fmt.Println("the commit:", err)
	fmt.Println("now the pen costs", s.price(ctx))
	fmt.Println("and again", s.price(ctx))

	err = s.raise(ctx, 4, func() error { return errors.New("too dear") })
	fmt.Println("the second change:", err)
	fmt.Println("the pen still costs", s.price(ctx))
}
