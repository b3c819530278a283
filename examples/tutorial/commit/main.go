// Commit is the second program of docs/tutorial.md: a change, its commit, and a
// rollback.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/config"
	"github.com/seed-dad15c92/txcache/examples/tutorial/table"
)

// A shop has a database and a cache of what it reads there.
type shop struct {
	db     *table.Table
	store  *txcache.Store
	prices *txcache.Cache[string, int]
}

// price reads a price in a transaction of its own.
func (s *shop) price(ctx context.Context) int {
	var price int
	err := s.store.View(ctx, "shop", func(tx *txcache.Tx) (err error) {
		price, err = s.prices.Load(ctx, tx, "pen", func(ctx context.Context) (int, error) {
			return s.db.Price(ctx, "pen")
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
	tx, err := s.store.Begin(ctx, "shop") // before the database's transaction
	if err != nil {
		return err
	}
	defer tx.Rollback() // does nothing after a commit
	change := s.db.Begin("pen", price)

	if err := s.prices.Clear(tx); err != nil { // whoever changes what a cache shows clears it
		return err
	}
	if err := before(); err != nil {
		return err
	}
	return tx.CommitWith(ctx, change.Commit)
}

func main() {
	ctx := context.Background()
	store := txcache.Must(txcache.OpenConfig(ctx, config.Default()))
	defer store.Close()
	s := &shop{table.New(os.Stdout), store, txcache.Must(txcache.NewCache[string, int](store, "prices", nil))}

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
