// Load is the first program of docs/tutorial.md: a value is loaded once.
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/config"
	"github.com/seed-dad15c92/txcache/examples/tutorial/table"
	"github.com/seed-dad15c92/txcache/sqltx"
)

func main() {
	ctx := context.Background()
	db := table.Open(os.Stdout)
	defer db.Close()

	store := txcache.Must(txcache.OpenConfig(ctx, config.Default()))
	defer store.Close()
	prices := txcache.Must(txcache.NewCache[string, int](store, "prices", nil))

	for range 2 {
		err := sqltx.View(ctx, store, "shop", db, nil, func(tx *sqltx.Tx) error {
			price, err := prices.Load(ctx, tx.Cache, "pen", func(ctx context.Context) (price int, err error) {
				err = tx.QueryRowContext(ctx, "SELECT price FROM product WHERE name = $1", "pen").Scan(&price)
				return price, err
			})
			fmt.Println("the pen costs", price)
			return err
		})
		if err != nil {
			log.Fatal(err)
		}
	}
	fmt.Println("hits:", prices.Stats().Hits, "misses:", prices.Stats().Misses)
}
