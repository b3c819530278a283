package txcache_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed-dad15c92/txcache"
)

func ExampleCache_Load() {
	ctx := context.Background()
	store, prices := exampleStore(nil)
	defer store.Close()
	store.View(ctx, "shop", func(tx *txcache.Tx) error {
		for range 2 {
			price, err := prices.Load(ctx, tx, "pen", func(context.Context) (int, error) {
				fmt.Println("reading the table")
				return 2, nil
			})
			fmt.Println(price, err)
		}
		return nil
	})
	// Output:
	// reading the table
	// 2 <nil>
	// 2 <nil>
}

// The loader says for how long the value is valid.
func ExampleCache_LoadFor() {
	type token struct {
		Text    string
		Expires time.Time
	}
	ctx := context.Background()
	store, _ := exampleStore(nil)
	defer store.Close()
	tokens := txcache.Must(txcache.NewCache[string, token](store, "tokens", nil))
	store.View(ctx, "shop", func(tx *txcache.Tx) error {
		for range 2 {
			t, err := tokens.LoadFor(ctx, tx, "bank", func(context.Context) (token, time.Duration, error) {
				fmt.Println("asking the bank")
				t := token{"secret", time.Now().Add(time.Hour)}
				return t, time.Until(t.Expires) - time.Minute, nil
			})
			fmt.Println(t.Text, err)
		}
		return nil
	})
	// Output:
	// asking the bank
	// secret <nil>
	// secret <nil>
}

// A value lives for as long as is said with it.
func ExampleCache_SetFor() {
	ctx := context.Background()
	store, prices := exampleStore(nil)
	defer store.Close()
	store.View(ctx, "shop", func(tx *txcache.Tx) error {
		prices.SetFor(tx, "pen", 2, time.Hour)
		prices.SetFor(tx, "book", 12, -time.Second) // it was valid until then
		_, pen := prices.Get(ctx, tx, "pen")
		_, book := prices.Get(ctx, tx, "book")
		fmt.Println(pen, book)
		return nil
	})
	// Output: true false
}

// Those who use Get and Set remember with SetAbsent that there is nothing.
func ExampleCache_Absent() {
	ctx := context.Background()
	store, prices := exampleStore(nil)
	defer store.Close()
	store.View(ctx, "shop", func(tx *txcache.Tx) error {
		fmt.Println(prices.Absent(ctx, tx, "book"))
		prices.SetAbsent(tx, "book")
		_, found := prices.Get(ctx, tx, "book")
		fmt.Println(prices.Absent(ctx, tx, "book"), found)
		return nil
	})
	// Output:
	// false
	// true false
}

// A transaction sees its own clear at once, others when it has committed.
func ExampleCache_Clear() {
	ctx := context.Background()
	store, prices := exampleStore(nil)
	defer store.Close()
	store.View(ctx, "shop", func(tx *txcache.Tx) error {
		prices.Set(tx, "pen", 2)
		return nil
	})
	others := func() (price int) {
		store.View(ctx, "shop", func(tx *txcache.Tx) error {
			price = prices.GetOr(ctx, tx, "pen", -1)
			return nil
		})
		return price
	}
	store.Update(ctx, "shop", func(tx *txcache.Tx) error {
		err := prices.Clear(tx)
		fmt.Println("itself:", prices.GetOr(ctx, tx, "pen", -1), "others:", others())
		return err
	})
	fmt.Println("others, after the commit:", others())
	// Output:
	// itself: -1 others: 2
	// others, after the commit: -1
}

// A transaction that changes a row deletes its key. All other keys keep their values.
func ExampleCache_Delete() {
	ctx := context.Background()
	store, prices := exampleStore(nil)
	defer store.Close()
	store.View(ctx, "shop", func(tx *txcache.Tx) error {
		prices.SetMany(tx, map[string]int{"pen": 2, "book": 12})
		return nil
	})
	store.Update(ctx, "shop", func(tx *txcache.Tx) error { // UPDATE … WHERE name = 'pen'
		return prices.Delete(tx, "pen")
	})
	store.View(ctx, "shop", func(tx *txcache.Tx) error {
		fmt.Println(prices.GetOr(ctx, tx, "pen", -1), prices.GetOr(ctx, tx, "book", -1))
		return nil
	})
	// Output: -1 12
}

// A value that is set after the delete of its key is written through: others see it
// once the transaction has committed.
func ExampleCache_Delete_writeThrough() {
	ctx := context.Background()
	store, prices := exampleStore(nil)
	defer store.Close()
	store.Update(ctx, "shop", func(tx *txcache.Tx) error { // UPDATE … SET price = 3 WHERE name = 'pen'
		err := prices.Delete(tx, "pen")
		prices.Set(tx, "pen", 3)
		return err
	})
	store.View(ctx, "shop", func(tx *txcache.Tx) error {
		fmt.Println(prices.Get(ctx, tx, "pen"))
		return nil
	})
	// Output: 3 true
}

// A tag is a name of what a value was made of, besides the row of its key.
func ExampleCache_TagBy() {
	type book struct{ Title, Author string }
	ctx := context.Background()
	store, _ := exampleStore(nil)
	defer store.Close()
	books := txcache.Must(txcache.NewCache[int, book](store, "books", nil))
	books.TagBy(func(id int, b book) []string { return []string{"author " + b.Author} })
	store.View(ctx, "shop", func(tx *txcache.Tx) error {
		books.Set(tx, 1, book{"Notes", "Lovelace"})
		books.Set(tx, 2, book{"Compilers", "Hopper"})
		return nil
	})
	store.Update(ctx, "shop", func(tx *txcache.Tx) error { // UPDATE authors … WHERE name = 'Lovelace'
		return tx.ClearTags("author Lovelace")
	})
	store.View(ctx, "shop", func(tx *txcache.Tx) error {
		for id := range 2 {
			fmt.Println(books.Get(ctx, tx, id+1))
		}
		return nil
	})
	// Output:
	// { } false
	// {Compilers Hopper} true
}

// Code that writes names the table and the rows; it need not know which caches show them.
func ExampleTx_ChangedRows() {
	ctx := context.Background()
	store, _ := exampleStore(nil)
	defer store.Close()
	books := txcache.Must(txcache.NewCache[int64, string](store, "books", &txcache.CacheOptions{RowsOf: []string{"book"}}))
	newest := txcache.Must(txcache.NewCache[string, []string](store, "newest", &txcache.CacheOptions{Tables: []string{"book", "review"}}))
	store.View(ctx, "shop", func(tx *txcache.Tx) error {
		books.Set(tx, 1, "Notes")
		books.Set(tx, 2, "Compilers")
		newest.Set(tx, "all", []string{"Compilers", "Notes"})
		return nil
	})
	store.Update(ctx, "shop", func(tx *txcache.Tx) error { // UPDATE book … WHERE id = 1
		return tx.ChangedRows("book", 1)
	})
	store.View(ctx, "shop", func(tx *txcache.Tx) error {
		fmt.Println(books.Get(ctx, tx, 1))
		fmt.Println(books.Get(ctx, tx, 2))
		fmt.Println(newest.Get(ctx, tx, "all"))
		return nil
	})
	// Output:
	//  false
	// Compilers true
	// [] false
}

// A rollback leaves the cache as it was.
func ExampleTx_Rollback() {
	ctx := context.Background()
	store, prices := exampleStore(nil)
	defer store.Close()
	err := store.Update(ctx, "shop", func(tx *txcache.Tx) error {
		prices.Set(tx, "pen", 3)
		return errors.New("out of ink") // so Update calls Rollback
	})
	fmt.Println(err)
	store.View(ctx, "shop", func(tx *txcache.Tx) error {
		fmt.Println(prices.Get(ctx, tx, "pen"))
		return nil
	})
	// Output:
	// out of ink
	// 0 false
}

func ExampleTx_ClearAll() {
	ctx := context.Background()
	store, prices := exampleStore(nil)
	defer store.Close()
	names := txcache.Must(txcache.NewCache[string, string](store, "names", nil))
	store.View(ctx, "shop", func(tx *txcache.Tx) error {
		prices.Set(tx, "pen", 2)
		names.Set(tx, "pen", "a pen")
		return nil
	})
	store.Update(ctx, "shop", func(tx *txcache.Tx) error { return tx.ClearAll() }) // such as a module that was installed
	store.View(ctx, "shop", func(tx *txcache.Tx) error {
		fmt.Println(prices.GetOr(ctx, tx, "pen", -1), names.GetOr(ctx, tx, "pen", "unknown"))
		return nil
	})
	// Output: -1 unknown
}

// A cache that is ContextFree has one value for all users.
func ExampleCacheOptions_contextFree() {
	ctx := context.Background()
	store, rates := exampleStore(&txcache.CacheOptions{ContextFree: true})
	defer store.Close()
	store.View(ctx, "shop", func(tx *txcache.Tx) error {
		rates.Set(tx.WithUser("ada"), "EUR", 7)
		fmt.Println(rates.GetOr(ctx, tx.WithUser("grace"), "EUR", -1))
		return nil
	})
	// Output: 7
}
