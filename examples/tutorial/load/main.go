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
)

func main() {
	ctx := context.Background()
	db := table.New(os.Stdout)

	store := txcache.Must(txcache.OpenConfig(ctx, config.Default()))
	defer store.Close()
	prices := txcache.Must(txcache.NewCache[string, int](store, "prices", nil))

	for range 2 {
		err := store.View(ctx, "shop", func(tx *txcache.Tx) error {
			price, err := prices.Load(ctx, tx, "pen", func(ctx context.Context) (int, error) {
				return db.Price(ctx, "pen")
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
