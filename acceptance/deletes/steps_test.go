package deletes_test

import (
	"fmt"
	"testing"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/internal/storetest"
)

// tagged makes a cache whose values bear the tag of their key, and that of all.
func tagged(t testing.TB, s *txcache.Store, opts txcache.CacheOptions) *txcache.Cache[string, int] {
	t.Helper()
	c := storetest.NewCache[string, int](t, s, "c", opts)
	c.TagBy(func(key string, _ int) []string { return []string{"tag of " + key, "tag of all"} })
	return c
}

// manyKeys returns so many keys that nothing is under.
func manyKeys(n int) []string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprint("key ", i)
	}
	return keys
}

// remove deletes a key in a transaction of its own.
func remove(t testing.TB, s *txcache.Store, c *txcache.Cache[string, int], key string) {
	t.Helper()
	tx := storetest.Begin(t, s, "db")
	must(t, c.Delete(tx, key))
	storetest.Commit(t, tx)
}

// removeTag clears a tag in a transaction of its own.
func removeTag(t testing.TB, s *txcache.Store, tag string) {
	t.Helper()
	tx := storetest.Begin(t, s, "db")
	must(t, tx.ClearTags(tag))
	storetest.Commit(t, tx)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A removal takes the value under "x" away from a cache that tagged has made.
type removal struct {
	name string
	do   func(tx *txcache.Tx, c *txcache.Cache[string, int]) error
}

var removals = []removal{
	{"delete", func(tx *txcache.Tx, c *txcache.Cache[string, int]) error { return c.Delete(tx, "x") }},
	{"tag", func(tx *txcache.Tx, _ *txcache.Cache[string, int]) error { return tx.ClearTags("tag of x") }},
}

// eachRemoval runs a test for each removal, in each setup that needs no real server:
// what is of Redis is the same over miniredis.
func eachRemoval(t *testing.T, test func(t *testing.T, s storetest.Setup, r removal)) {
	for _, s := range storetest.Setups {
		t.Run(s.Name, func(t *testing.T) {
			for _, r := range removals {
				t.Run(r.name, func(t *testing.T) { test(t, s, r) })
			}
		})
	}
}

// commit removes "x" in a transaction of its own.
func (r removal) commit(t testing.TB, s *txcache.Store, c *txcache.Cache[string, int]) {
	t.Helper()
	tx := storetest.Begin(t, s, "db")
	must(t, r.do(tx, c))
	storetest.Commit(t, tx)
}

// in removes "x" in tx.
func (r removal) in(t testing.TB, tx *txcache.Tx, c *txcache.Cache[string, int]) {
	t.Helper()
	must(t, r.do(tx, c))
}
