package txcache_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"sync"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/config"
	"github.com/seed-dad15c92/txcache/memorybackend"
)

func Example() {
	ctx := context.Background()
	store, err := txcache.OpenConfig(ctx, config.Default()) // or txcache.Open(ctx, "cache.toml")
	if err != nil {
		log.Fatal(err)
	}
	defer store.Close()
	names := txcache.Must(txcache.NewCache[int, string](store, "names", nil))

	table := map[int]string{42: "Ada"} // stands for a table of the database
	read := func() {
		err := store.View(ctx, "shop", func(tx *txcache.Tx) error {
			name, err := names.Load(ctx, tx, 42, func(context.Context) (string, error) {
				fmt.Println("reading the table")
				return table[42], nil
			})
			fmt.Println(name)
			return err
		})
		if err != nil {
			log.Fatal(err)
		}
	}
	read()
	read()

	// Whoever changes what a cache shows clears it, in the same transaction.
	err = store.Update(ctx, "shop", func(tx *txcache.Tx) error {
		table[42] = "Grace"
		return names.Clear(tx)
	})
	if err != nil {
		log.Fatal(err)
	}
	read()
	// Output:
	// reading the table
	// Ada
	// Ada
	// reading the table
	// Grace
}

// exampleStore returns a store and a cache for an example.
func exampleStore(opts *txcache.CacheOptions) (*txcache.Store, *txcache.Cache[string, int]) {
	store := txcache.Must(txcache.New(memorybackend.New(), nil))
	return store, txcache.Must(txcache.NewCache[string, int](store, "prices", opts))
}

func ExampleTx_CommitWith() {
	ctx := context.Background()
	store, prices := exampleStore(nil)
	defer store.Close()

	tx := txcache.Must(store.Begin(ctx, "shop")) // before the database's transaction
	defer tx.Rollback()                          // does nothing after a commit
	if err := prices.Clear(tx); err != nil {
		log.Fatal(err)
	}
	err := tx.CommitWith(ctx, func(ctx context.Context) error {
		fmt.Println("the database commits, and others go to the database meanwhile")
		return nil // such as dbtx.Commit(ctx)
	})
	fmt.Println(err)
	// Output:
	// the database commits, and others go to the database meanwhile
	// <nil>
}

// A commit function says what it knows of a commit that failed. Without a mark
// the caches are bypassed for a lease, as the database may yet commit.
func ExampleNotCommitted() {
	ctx := context.Background()
	store, prices := exampleStore(nil)
	defer store.Close()
	errLocked := errors.New("database is locked") // as drivers have it, without an SQLSTATE

	tx := txcache.Must(store.Begin(ctx, "shop"))
	defer tx.Rollback()
	if err := prices.Clear(tx); err != nil {
		log.Fatal(err)
	}
	err := tx.CommitWith(ctx, func(ctx context.Context) error {
		err := errLocked // such as from dbtx.Commit(ctx)
		if errors.Is(err, errLocked) {
			return txcache.NotCommitted(err)
		}
		return err
	})
	fmt.Println(err, store.Status().InDoubt)
	// Output: database is locked 0
}

func ExampleTx_Savepoint() {
	ctx := context.Background()
	store, prices := exampleStore(nil)
	defer store.Close()
	store.Update(ctx, "shop", func(tx *txcache.Tx) error {
		prices.Set(tx, "pen", 2)
		err := tx.Savepoint(func(tx *txcache.Tx) error {
			prices.Set(tx, "pen", 3)
			return errors.New("out of ink")
		})
		price, _ := prices.Get(ctx, tx, "pen")
		fmt.Println(err, price)
		return nil
	})
	// Output: out of ink 2
}

// The context of a request or job says for whom it is; txhttp.Middleware makes such a context.
func ExampleFromContext() {
	store, prices := exampleStore(nil)
	defer store.Close()
	show := func(ctx context.Context) {
		s := txcache.FromContext(ctx)
		s.Store.View(ctx, s.Database, func(tx *txcache.Tx) error {
			price, err := prices.Load(ctx, s.Handle(tx), "pen", func(context.Context) (int, error) { return len(s.User.(string)), nil })
			fmt.Println(s.Database, s.User, price)
			return err
		})
	}
	for _, user := range []string{"ada", "grace"} {
		show(txcache.NewContext(context.Background(), txcache.Scope{Store: store, Database: "shop", User: user}))
	}
	// Output:
	// shop ada 3
	// shop grace 5
}

func ExampleTx_WithContext() {
	ctx := context.Background()
	store, prices := exampleStore(nil)
	defer store.Close()
	store.View(ctx, "shop", func(tx *txcache.Tx) error {
		euro := tx.WithUser("ada").WithContext(map[string]any{"currency": "EUR"})
		yen := euro.WithContext(map[string]any{"currency": "JPY"})
		prices.Set(euro, "pen", 2)
		prices.Set(yen, "pen", 320)
		inEuro, _ := prices.Get(ctx, euro, "pen")
		inYen, _ := prices.Get(ctx, yen, "pen")
		_, known := prices.Get(ctx, tx, "pen")
		fmt.Println(inEuro, inYen, known)
		return nil
	})
	// Output: 2 320 false
}

func ExampleCacheOptions_warm() {
	ctx := context.Background()
	store, prices := exampleStore(&txcache.CacheOptions{Warm: true})
	defer store.Close()
	store.Update(ctx, "shop", func(tx *txcache.Tx) error {
		// First the database is changed, then the cache is cleared, then what is
		// known already is set: the next reader finds it.
		if err := prices.Clear(tx); err != nil {
			return err
		}
		prices.Set(tx, "pen", 3)
		return nil
	})
	store.View(ctx, "shop", func(tx *txcache.Tx) error {
		fmt.Println(prices.Get(ctx, tx, "pen"))
		return nil
	})
	// Output: 3 true
}

func ExampleCacheOptions_verify() {
	ctx := context.Background()
	store := txcache.Must(txcache.New(memorybackend.New(), &txcache.Options{
		OnStale: func(_ context.Context, hit txcache.StaleHit) {
			fmt.Printf("%s: %v is cached as %v and is %v\n", hit.Cache, hit.Key, hit.Cached, hit.Loaded)
		},
		Logger: slog.New(slog.DiscardHandler),
	}))
	defer store.Close()
	prices := txcache.Must(txcache.NewCache[string, int](store, "prices", &txcache.CacheOptions{
		Verify: 1, // every hit; in production rather 0.001
	}))
	price := 2 // in the database
	read := func(tx *txcache.Tx) error {
		_, err := prices.Load(ctx, tx, "pen", func(context.Context) (int, error) { return price, nil })
		return err
	}
	store.View(ctx, "shop", read)
	price = 3 // and prices is not cleared
	store.View(ctx, "shop", read)
	fmt.Println(prices.Stats().Mismatches)
	// Output:
	// prices: pen is cached as 2 and is 3
	// 1
}

func ExampleCache_LoadMany() {
	ctx := context.Background()
	store, prices := exampleStore(nil)
	defer store.Close()
	table := map[string]int{"pen": 2, "ink": 5}
	store.View(ctx, "shop", func(tx *txcache.Tx) error {
		prices.Set(tx, "pen", 2)
		found, err := prices.LoadMany(ctx, tx, []string{"pen", "ink", "book"}, func(_ context.Context, missing []string) (map[string]int, error) {
			fmt.Println("loading", missing)
			rows := map[string]int{}
			for _, key := range missing {
				if price, ok := table[key]; ok {
					rows[key] = price
				}
			}
			return rows, nil
		})
		fmt.Println(found, prices.Absent(ctx, tx, "book"))
		return err
	})
	// Output:
	// loading [ink book]
	// map[ink:5 pen:2] true
}

func ExampleErrAbsent() {
	ctx := context.Background()
	store, prices := exampleStore(nil)
	defer store.Close()
	store.View(ctx, "shop", func(tx *txcache.Tx) error {
		for range 2 {
			_, err := prices.Load(ctx, tx, "book", func(context.Context) (int, error) {
				fmt.Println("looking for it")
				return 0, txcache.ErrAbsent // where a query says sql.ErrNoRows
			})
			fmt.Println(errors.Is(err, txcache.ErrAbsent))
		}
		return nil
	})
	// Output:
	// looking for it
	// true
	// true
}

func ExampleCacheOptions_staleFor() {
	ctx := context.Background()
	store, prices := exampleStore(&txcache.CacheOptions{Duration: time.Millisecond, StaleFor: time.Hour})
	defer store.Close()
	load := func(price int, err error) {
		store.View(ctx, "shop", func(tx *txcache.Tx) error {
			fmt.Println(prices.Load(ctx, tx, "pen", func(context.Context) (int, error) { return price, err }))
			return nil
		})
	}
	load(2, nil)
	time.Sleep(2 * time.Millisecond)
	load(0, errors.New("the database is away"))
	// Output:
	// 2 <nil>
	// 2 <nil>
}

func ExampleCache_RefreshEarly() {
	ctx := context.Background()
	store, prices := exampleStore(&txcache.CacheOptions{Duration: time.Minute, Jitter: 0.1})
	defer store.Close()
	prices.RefreshEarly(func(ctx context.Context, tx *txcache.Tx, key string) (int, error) {
		// In earnest: begin a database transaction, or take a connection, and read.
		return len(tx.Database() + key), nil
	})
	store.View(ctx, "shop", func(tx *txcache.Tx) error {
		price, err := prices.Load(ctx, tx, "pen", func(context.Context) (int, error) { return 2, nil })
		fmt.Println(price, err)
		return nil
	})
	// Output: 2 <nil>
}

// With a limit the loader of RefreshEarly also loads what is not there, and goes on when the caller who
// has asked is gone.
func ExampleCacheOptions_loadLimit() {
	ctx := context.Background()
	store, prices := exampleStore(&txcache.CacheOptions{LoadLimit: time.Minute})
	defer store.Close()
	asked, goOn := make(chan bool), make(chan bool)
	prices.RefreshEarly(func(ctx context.Context, tx *txcache.Tx, key string) (int, error) {
		close(asked)
		<-goOn // a query that takes long
		return 2, nil
	})
	impatient, cancel := context.WithCancel(ctx)
	go func() { <-asked; cancel() }()
	load := func(context.Context) (int, error) { return 0, errors.New("not called") }
	store.View(ctx, "shop", func(tx *txcache.Tx) error {
		_, err := prices.Load(impatient, tx, "pen", load)
		fmt.Println(err)
		close(goOn)
		fmt.Println(prices.Load(ctx, tx, "pen", load))
		return nil
	})
	// Output:
	// context canceled
	// 2 <nil>
}

func ExampleCacheOptions_lease() {
	ctx := context.Background()
	server := txcache.Must(miniredis.Run()) // in production, a Redis
	defer server.Close()
	cfg := config.Default()
	cfg.Class, cfg.Redis.URI = config.ClassRedis, "redis://"+server.Addr()
	var wait sync.WaitGroup
	for range 3 { // processes
		store := txcache.Must(txcache.OpenConfig(ctx, cfg))
		defer store.Close()
		prices := txcache.Must(txcache.NewCache[string, int](store, "prices", &txcache.CacheOptions{Lease: 5 * time.Second}))
		wait.Go(func() {
			store.View(ctx, "shop", func(tx *txcache.Tx) error {
				_, err := prices.Load(ctx, tx, "pen", func(context.Context) (int, error) {
					fmt.Println("one of them loads")
					time.Sleep(50 * time.Millisecond)
					return 2, nil
				})
				return err
			})
		})
	}
	wait.Wait()
	// Output: one of them loads
}

func ExampleCache_GetMany() {
	ctx := context.Background()
	store, prices := exampleStore(nil)
	defer store.Close()
	store.View(ctx, "shop", func(tx *txcache.Tx) error {
		prices.SetMany(tx, map[string]int{"pen": 2, "ink": 5})
		fmt.Println(prices.GetMany(ctx, tx, []string{"pen", "ink", "book"}))
		return nil
	})
	// Output: map[ink:5 pen:2]
}
