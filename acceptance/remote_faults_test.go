package acceptance_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/storetest"
)

// What has expired in a long transaction is not sent to others, for whom it
// would last.
func TestWhatHasExpiredIsNotPublished(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := storetest.NewValues()
		all := storetest.Stores(t, 2, txcache.Options{}, v)
		c := storetest.NewCache[string, int](t, all[0], "c", txcache.CacheOptions{Duration: time.Minute})
		d := storetest.NewCache[string, int](t, all[1], "c", txcache.CacheOptions{Duration: time.Minute})
		tx := storetest.Begin(t, all[0], "db")
		c.Set(tx, "x", 1)
		time.Sleep(time.Minute)
		storetest.Commit(t, tx)
		if len(v.Kept) > 0 {
			t.Errorf("%d values were sent", len(v.Kept))
		}
		storetest.Miss(t, storetest.Begin(t, all[0], "db"), c, "x", "it has expired")
		storetest.Miss(t, storetest.Begin(t, all[1], "db"), d, "x", "it has expired")
	})
}

// P9: a payload says itself when it expires, whatever the backend thinks.
func TestAPayloadThatHasExpiredIsAMiss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		v := storetest.NewValues()
		all := storetest.Stores(t, 2, txcache.Options{}, v)
		c := storetest.NewCache[string, int](t, all[0], "c", txcache.CacheOptions{Duration: time.Minute})
		d := storetest.NewCache[string, int](t, all[1], "c", txcache.CacheOptions{Duration: time.Minute})
		storetest.Publish(t, all[0], "db", c, "x", 1)
		for key, kept := range v.Kept {
			v.Kept[key] = storetest.KeptValue{Data: kept.Data}
		}
		time.Sleep(30 * time.Second)
		storetest.Publish(t, all[0], "db", c, "y", 2)
		storetest.Hit(t, storetest.Begin(t, all[1], "db"), d, "y", 2, "it was just set")
		time.Sleep(30 * time.Second)
		storetest.Miss(t, storetest.Begin(t, all[1], "db"), d, "x", "it has expired")
	})
}

// A talker answers more than it was asked.
type talker struct{ *storetest.Values }

func (v talker) Get(ctx context.Context, keys []backend.Key) ([][]byte, error) {
	data, err := v.Values.Get(ctx, keys)
	return append(data, data...), err
}

func TestMoreAnswersThanQuestions(t *testing.T) {
	v := storetest.NewValues()
	here, there := storetest.NewStore(t, v, txcache.Options{}), storetest.NewStore(t, talker{v}, txcache.Options{})
	c := storetest.NewCache[string, int](t, here, "c", txcache.CacheOptions{})
	d := storetest.NewCache[string, int](t, there, "c", txcache.CacheOptions{})
	storetest.Publish(t, here, "db", c, "x", 1)
	storetest.Hit(t, storetest.Begin(t, there, "db"), d, "x", 1, "it was set")
}

// P7: the address of a value names its database, cache and generation.
func TestRemoteKeysTellAllApart(t *testing.T) {
	v := storetest.NewValues()
	store := storetest.NewStore(t, v, txcache.Options{})
	c := storetest.NewCache[string, int](t, store, "one", txcache.CacheOptions{})
	d := storetest.NewCache[string, int](t, store, "two", txcache.CacheOptions{})
	for _, database := range []string{"here", "there"} {
		storetest.Publish(t, store, database, c, "x", 1)
		storetest.Publish(t, store, database, d, "x", 2)
		state, err := v.Sync(t.Context(), database)
		if err != nil {
			t.Fatal(err)
		}
		for _, cache := range []string{"one", "two"} {
			n := 0
			for key := range v.Kept {
				if key.Database == database && key.Cache == cache && key.Token == state.Token(cache) {
					n++
				}
			}
			if n != 1 {
				t.Errorf("%d values are under cache %s of database %s; want 1", n, cache, database)
			}
		}
	}
}

// A loader runs once for each key, also if a caller has looked in vain just before
// another caller's load was done.
func TestALoadThatHasJustLandedIsNotRepeated(t *testing.T) {
	store := storetest.Setups[0].One(t)
	const keys = 20_000
	c := storetest.NewCache[int, int](t, store, "c", txcache.CacheOptions{Size: keys})
	loads := make([]atomic.Int32, keys)
	var all sync.WaitGroup
	for range 8 {
		tx := storetest.BeginReadOnly(t, store, "db")
		all.Go(func() {
			for key := range keys {
				_, err := c.Load(t.Context(), tx, key, func(context.Context) (int, error) {
					loads[key].Add(1)
					return key, nil
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	for key := range loads {
		if n := loads[key].Load(); n != 1 {
			t.Fatalf("key %d was loaded %d times", key, n)
		}
	}
}

// P9: two versions of a program whose values differ by the order of their fields
// alone, and look alike when encoded, read nothing of each other's.
func TestP9ShapesThatLookAlike(t *testing.T) {
	type before struct{ Width, Height int }
	type after struct{ Height, Width int }
	all := storetest.Stores(t, 2, txcache.Options{}, storetest.NewValues())
	c := storetest.NewCache[string, before](t, all[0], "c", txcache.CacheOptions{})
	d := storetest.NewCache[string, after](t, all[1], "c", txcache.CacheOptions{})
	storetest.Publish(t, all[0], "db", c, "x", before{Width: 1, Height: 2})
	storetest.Miss(t, storetest.Begin(t, all[1], "db"), d, "x", "it is of another shape")
	storetest.Publish(t, all[1], "db", d, "x", after{Width: 3, Height: 4})
	storetest.Hit(t, storetest.Begin(t, all[0], "db"), c, "x", before{Width: 1, Height: 2}, "each has its own")
}
