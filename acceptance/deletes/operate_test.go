package deletes_test

import (
	"context"
	"testing"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/storetest"
	"github.com/seed-dad15c92/txcache/memorybackend"
)

// A pair is a key that is a struct.
type pair struct{ A, B int }

// P3, P11: an operator deletes by the text of a key, also keys of a cache that only
// another store has.
func TestStoreDelete(t *testing.T) {
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		stores := s.Open(t, 2, txcache.Options{})
		operator, service := stores[0], stores[1]
		c := storetest.NewCache[pair, int](t, service, "c", txcache.CacheOptions{})
		other := storetest.NewCache[pair, int](t, service, "other", txcache.CacheOptions{})
		x, y := pair{1, 2}, pair{2, 1}
		tx := storetest.BeginReadOnly(t, service, "db")
		for _, as := range []*txcache.Tx{tx, tx.WithUser("u")} {
			for _, key := range []pair{x, y} {
				c.Set(as, key, 1)
				other.Set(as, key, 1)
			}
		}
		storetest.Commit(t, tx)
		if err := operator.Delete(t.Context(), "db", "c", c.KeyText(x), c.KeyText(x), "i.7"); err != nil {
			t.Fatal(err)
		}
		tx = storetest.BeginReadOnly(t, service, "db")
		for _, as := range []*txcache.Tx{tx, tx.WithUser("u")} {
			storetest.Miss(t, as, c, x, "it was deleted")
			storetest.Hit(t, as, c, y, 1, "it is another key")
			storetest.Hit(t, as, other, x, 1, "it is of another cache")
		}
		storetest.Commit(t, tx)
		for name, err := range map[string]error{
			"no key":   operator.Delete(t.Context(), "db", "c"),
			"no cache": operator.Delete(t.Context(), "db", "", "i.7"),
			"no name":  operator.Delete(t.Context(), "", "c", "i.7"),
		} {
			if err == nil {
				t.Errorf("%s: there is no error", name)
			}
		}
	})
}

// P3, P11: an operator clears tags, also of values in caches that only another store has.
func TestStoreClearTags(t *testing.T) {
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		stores := s.Open(t, 2, txcache.Options{})
		operator, service := stores[0], stores[1]
		c := storetest.NewCache[string, int](t, service, "c", txcache.CacheOptions{})
		d := storetest.NewCache[string, int](t, service, "d", txcache.CacheOptions{})
		tags := func(key string, _ int) []string { return []string{"first " + key[:1], "last " + key[1:]} }
		c.TagBy(tags)
		d.TagBy(tags)
		plain := storetest.NewCache[string, int](t, service, "plain", txcache.CacheOptions{})
		all := []*txcache.Cache[string, int]{c, d, plain}
		for _, database := range []string{"db", "neighbour"} {
			tx := storetest.BeginReadOnly(t, service, database)
			for _, as := range []*txcache.Tx{tx, tx.WithUser("u")} {
				for _, cache := range all {
					for _, key := range []string{"ax", "ay", "bx", "by"} {
						cache.Set(as, key, 1)
					}
				}
			}
			storetest.Commit(t, tx)
		}
		if err := operator.ClearTags(t.Context(), "db", "last x", "last x", "first ", "a tag that nobody has"); err != nil {
			t.Fatal(err)
		}
		tx := storetest.BeginReadOnly(t, service, "db")
		for _, as := range []*txcache.Tx{tx, tx.WithUser("u")} {
			for _, key := range []string{"ax", "bx"} {
				storetest.Miss(t, as, c, key, "it bears the tag")
				storetest.Miss(t, as, d, key, "it bears the tag")
				storetest.Hit(t, as, plain, key, 1, "its values bear no tags")
			}
			for _, key := range []string{"ay", "by"} {
				storetest.Hit(t, as, c, key, 1, "it bears other tags")
			}
		}
		storetest.Commit(t, tx)
		storetest.Hit(t, storetest.BeginReadOnly(t, service, "neighbour"), c, "ax", 1, "it is in another database")
		for name, err := range map[string]error{
			"no tag":  operator.ClearTags(t.Context(), "db"),
			"no name": operator.ClearTags(t.Context(), "", "last x"),
		} {
			if err == nil {
				t.Errorf("%s: there is no error", name)
			}
		}
	})
}

// An uncounted backend says no numbers, so it takes no deletes.
type uncounted struct{ *memorybackend.Backend }

func (b uncounted) Sync(ctx context.Context, database string) (*backend.State, error) {
	return without(b.Backend.Sync(ctx, database))
}

func (b uncounted) Clear(ctx context.Context, database string, f backend.Fence) (*backend.State, error) {
	f.Keys = nil
	return without(b.Backend.Clear(ctx, database, f))
}

func without(s *backend.State, err error) (*backend.State, error) {
	if err != nil || s.Number == 0 {
		return s, err
	}
	uncounted := *s
	uncounted.Number, uncounted.Deletes, uncounted.FencedKeys = 0, nil, nil
	return &uncounted, nil
}

// Where the backend cannot delete a key, its cache is cleared. // P3
func TestStoreDeleteClearsWhereItMust(t *testing.T) {
	store := storetest.NewStore(t, uncounted{memorybackend.New()}, txcache.Options{})
	c := storetest.NewCache[int, int](t, store, "c", txcache.CacheOptions{})
	storetest.Publish(t, store, "db", c, 1, 1)
	storetest.Hit(t, storetest.BeginReadOnly(t, store, "db"), c, 1, 1, "it was published")
	if err := store.Delete(t.Context(), "db", "c", c.KeyText(1)); err != nil {
		t.Fatal(err)
	}
	storetest.Miss(t, storetest.BeginReadOnly(t, store, "db"), c, 1, "it was deleted")
	if s := c.Stats(); s.Clears != 1 || s.Deletes != 0 {
		t.Errorf("%d clears and %d deletes; want a clear", s.Clears, s.Deletes)
	}
}

// Where the backend cannot clear a tag, all caches are cleared. // P3
func TestStoreClearTagsClearsWhereItMust(t *testing.T) {
	store := storetest.NewStore(t, uncounted{memorybackend.New()}, txcache.Options{})
	c := storetest.NewCache[int, int](t, store, "c", txcache.CacheOptions{})
	c.TagBy(func(int, int) []string { return []string{"tag"} })
	storetest.Publish(t, store, "db", c, 1, 1)
	storetest.Hit(t, storetest.BeginReadOnly(t, store, "db"), c, 1, 1, "it was published")
	if err := store.ClearTags(t.Context(), "db", "tag"); err != nil {
		t.Fatal(err)
	}
	storetest.Miss(t, storetest.BeginReadOnly(t, store, "db"), c, 1, "its tag was cleared")
}
