package txcache_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"
	"sync"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/config"
	"github.com/seed-dad15c92/txcache/memorybackend"
)

// What somebody changed in the database by hand, an operator clears.
func ExampleStore_Clear() {
	ctx := context.Background()
	store, prices := exampleStore(nil)
	defer store.Close()
	store.View(ctx, "shop", func(tx *txcache.Tx) error {
		prices.Set(tx, "pen", 2)
		return nil
	})
	fmt.Println(store.Clear(ctx, "shop", "prices", "a name that nobody has"))
	store.View(ctx, "shop", func(tx *txcache.Tx) error {
		fmt.Println(prices.GetOr(ctx, tx, "pen", -1))
		return nil
	})
	// Output:
	// <nil>
	// -1
}

// What somebody changed by hand that values in several caches are made of.
func ExampleStore_ClearTags() {
	ctx := context.Background()
	store, prices := exampleStore(nil)
	defer store.Close()
	prices.TagBy(func(product string, _ int) []string { return []string{"product " + product} })
	store.View(ctx, "shop", func(tx *txcache.Tx) error {
		prices.Set(tx, "pen", 2)
		prices.Set(tx, "ink", 5)
		return nil
	})
	fmt.Println(store.ClearTags(ctx, "shop", "product pen"))
	store.View(ctx, "shop", func(tx *txcache.Tx) error {
		fmt.Println(prices.GetOr(ctx, tx, "pen", -1), prices.GetOr(ctx, tx, "ink", -1))
		return nil
	})
	// Output:
	// <nil>
	// -1 5
}

func ExampleStore_Status() {
	ctx := context.Background()
	store, prices := exampleStore(nil)
	defer store.Close()
	for _, database := range []string{"shop", "neighbour"} {
		store.Update(ctx, database, prices.Clear)
	}
	s := store.Status()
	fmt.Printf("%d databases, %d fences, %d commits refused, %d clears waiting\n", s.Databases, s.Fences, s.Refused, s.Waiting)
	// Output: 2 databases, 2 fences, 0 commits refused, 0 clears waiting
}

func ExampleStore_Databases() {
	ctx := context.Background()
	store, prices := exampleStore(nil)
	defer store.Close()
	store.View(ctx, "shop", func(tx *txcache.Tx) error {
		prices.Set(tx, "pen", 2)
		prices.Set(tx, "ink", 5)
		return nil
	})
	for database := range store.Databases() {
		for _, cache := range database.Caches {
			fmt.Println(database.Name, cache.Name, cache.Values, cache.Fenced)
		}
	}
	// Output: shop prices 2 false
}

func ExampleStore_Sync() {
	ctx := context.Background()
	store, _ := exampleStore(nil)
	defer store.Close()
	// Before the first request of a database, or where Options.Poll would let it
	// begin with less.
	fmt.Println(store.Sync(ctx, "shop"))
	// Output: <nil>
}

// A program adds to what a file says what no file can say.
func ExampleFromConfig() {
	ctx := context.Background()
	cfg := config.Default() // or config.Load("cache.toml")
	b, opts, err := txcache.FromConfig(ctx, cfg)
	if err != nil {
		log.Fatal(err)
	}
	opts.Logger = slog.New(slog.DiscardHandler)
	opts.OnStale = func(_ context.Context, hit txcache.StaleHit) { fmt.Println("stale:", hit.Cache) }
	store, err := txcache.New(b, opts)
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	fmt.Println(opts.Size)
	// Output: 1024
}

// Package txotel makes spans of operations; here they are printed as they end.
func ExampleOptions_trace() {
	ctx := context.Background()
	var mu sync.Mutex
	store := txcache.Must(txcache.New(memorybackend.New(), &txcache.Options{
		Trace: func(ctx context.Context, o txcache.Operation) (context.Context, func(error)) {
			return ctx, func(err error) {
				mu.Lock()
				defer mu.Unlock()
				fmt.Println(o.Name, o.Database, o.Cache, o.Keys, err)
			}
		},
	}))
	defer store.Close()
	prices := txcache.Must(txcache.NewCache[string, int](store, "prices", nil))
	store.View(ctx, "shop", func(tx *txcache.Tx) error {
		_, err := prices.Load(ctx, tx, "pen", func(context.Context) (int, error) { return 2, nil })
		return err
	})
	// Output:
	// begin shop  0 <nil>
	// load shop prices 1 <nil>
}

func ExampleStore_Stats() {
	ctx := context.Background()
	store, prices := exampleStore(nil)
	defer store.Close()
	store.View(ctx, "shop", func(tx *txcache.Tx) error {
		prices.Get(ctx, tx, "pen")
		prices.Set(tx, "pen", 2)
		prices.Get(ctx, tx, "pen")
		return nil
	})
	for s := range store.Stats() {
		fmt.Printf("%s: %d hits, %d misses, %d values\n", s.Name, s.Hits, s.Misses, s.Values)
	}
	// Output: prices: 1 hits, 1 misses, 1 values
}

func ExampleStore_Drop() {
	ctx := context.Background()
	store, prices := exampleStore(nil)
	defer store.Close()
	for _, database := range []string{"shop", "neighbour"} {
		store.View(ctx, database, func(tx *txcache.Tx) error {
			prices.Set(tx, "pen", 2)
			return nil
		})
	}
	fmt.Println(store.Drop(ctx, "shop"))
	for _, database := range []string{"shop", "neighbour"} {
		store.View(ctx, database, func(tx *txcache.Tx) error {
			_, known := prices.Get(ctx, tx, "pen")
			fmt.Println(database, known)
			return nil
		})
	}
	// Output:
	// <nil>
	// shop false
	// neighbour true
}

func ExampleRegister() {
	// In the init function of the package that has the backend, with its import path.
	txcache.Register("example.com/acme/cache", func(ctx context.Context, cfg *config.Config) (backend.Backend, error) {
		section := struct {
			Servers []string `toml:"servers"`
		}{Servers: []string{"localhost"}} // the defaults
		if err := cfg.Section("acme", &section); err != nil {
			return nil, err
		}
		fmt.Println(section.Servers)
		return memorybackend.New(), nil // in earnest, one of its own
	})

	// A program that imports that package can configure it.
	cfg := config.Default()
	cfg.Class = "example.com/acme/cache"
	store, err := txcache.OpenConfig(context.Background(), cfg)
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	// Output: [localhost]
}
