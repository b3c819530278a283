package txcachetest_test

import (
	"context"
	"testing"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/txcachetest"
)

// A catalogue is the code under test: it keeps prices in a cache.
type catalogue struct {
	store *txcache.Store
	price *txcache.Cache[string, int]
}

func newCatalogue(store *txcache.Store) *catalogue {
	return &catalogue{store, txcache.Must(txcache.NewCache[string, int](store, "price", nil))}
}

func (c *catalogue) lookUp(ctx context.Context, product string, query func(context.Context) (int, error)) (price int, err error) {
	err = c.store.View(ctx, "shop", func(tx *txcache.Tx) error {
		price, err = c.price.Load(ctx, tx, product, query)
		return err
	})
	return price, err
}

// The test gives the code a store of its own, as the package's doc shows.
func TestPriceIsQueriedOnce(t *testing.T) {
	c := newCatalogue(txcachetest.Memory(t))
	queries := 0
	for range 2 {
		price, err := c.lookUp(t.Context(), "book", func(context.Context) (int, error) {
			queries++
			return 12, nil
		})
		if price != 12 || err != nil {
			t.Errorf("the price is %d, %v; want 12", price, err)
		}
	}
	if queries != 1 {
		t.Errorf("%d queries, want 1", queries)
	}
}
