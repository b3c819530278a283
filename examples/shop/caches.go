package main

import (
	"errors"
	"time"

	"github.com/seed-dad15c92/txcache"
)

// A product as it is sold, without what it costs.
type product struct {
	ID, Category   int64
	Name, Material string // terms, to be translated
}

// A category with the products that are directly in it. The cached slice is shared: it
// must not be changed.
type category struct {
	ID, Parent int64  // 0: none
	Name       string // a term, to be translated
	Products   []int64
}

// A priceKey is what a price depends on. Its fields stay apart whatever they
// hold, which text that is put together would have to see to.
type priceKey struct {
	Product int64
	Group   string
}

// whole is the key of a cache with one value.
type whole struct{}

// The caches of the shop. None is cleared but by the transaction that changes
// what it shows: see put, reprice and set.
type caches struct {
	products   *txcache.Cache[int64, product]
	prices     *txcache.Cache[priceKey, int64] // cents
	categories *txcache.Cache[whole, []category]
	terms      *txcache.Cache[string, string]
	settings   *txcache.Cache[whole, map[string]string]
	search     *txcache.Cache[string, []int64]
}

// newCaches makes the caches, once for each store: their names are unique in it.
func newCaches(store *txcache.Store) (*caches, error) {
	var c caches
	var errs [6]error

	// Read by everybody, changed rarely, the same for all. Ids come from
	// outside: that there is no such product is remembered for a minute only,
	// so that somebody who makes ids up does not fill Redis for half a day.
	c.products, errs[0] = txcache.NewCache[int64, product](store, "shop.product", &txcache.CacheOptions{
		ContextFree: true, Size: 10_000, Absent: time.Minute,
	})

	// What a customer pays depends on the group, which is part of the key
	// rather than of the context: a list shows prices of one group, an
	// administrator sees those of all. Where a forgotten clear would cost money,
	// one hit in a hundred is compared with the database.
	c.prices, errs[1] = txcache.NewCache[priceKey, int64](store, "shop.price", &txcache.CacheOptions{
		ContextFree: true, Size: 20_000, Verify: 0.01,
	})

	// Small, and always wanted as a whole: one value. The lease lets one of many
	// servers build it after a change, while the others wait for it.
	c.categories, errs[2] = txcache.NewCache[whole, []category](store, "shop.category", &txcache.CacheOptions{
		ContextFree: true, Size: 1, Lease: time.Second,
	})

	// Not ContextFree: the language of the transaction's context is part of
	// every key. Terms without a translation are remembered as absent.
	c.terms, errs[3] = txcache.NewCache[string, string](store, "shop.term", &txcache.CacheOptions{Size: 5_000})

	// Every request needs them. Warm: who changes one reads them again and
	// publishes them with the commit, so that nobody finds the cache empty.
	c.settings, errs[4] = txcache.NewCache[whole, map[string]string](store, "shop.setting", &txcache.CacheOptions{
		ContextFree: true, Size: 1, Warm: true,
	})

	// Nobody clears this one: any change of a product may change any result. A
	// new product may be found ten seconds late. Results are ids alone, so that
	// names and prices are never late. Results do not expire all at once (Jitter), and
	// old ones go on if the database is in trouble.
	c.search, errs[5] = txcache.NewCache[string, []int64](store, "shop.search", &txcache.CacheOptions{
		ContextFree: true, Duration: 10 * time.Second, Jitter: 0.2, StaleFor: time.Minute,
	})
	return &c, errors.Join(errs[:]...)
}
