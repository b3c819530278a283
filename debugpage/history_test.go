package debugpage_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/debugpage"
	"github.com/seed-dad15c92/txcache/txcachetest"
)

func TestHistoryIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := txcachetest.Memory(t)
		cache := txcache.Must(txcache.NewCache[int, string](store, "users", nil))
		h := debugpage.Handler(store, nil)
		data(t, h, "")
		for range 2000 { // of half a second
			fill(t, store, cache, "shop", 1)
			time.Sleep(500 * time.Millisecond)
			data(t, h, "")
		}
		d := data(t, h, "?history=1")
		if n := len(d.Samples.At); n < 30 || n > 60 || len(d.Caches.Items[0].History.Hits) != n {
			t.Fatalf("%d samples, %+v", n, d.Caches.Items[0].History)
		}
		first, err := time.Parse(time.RFC3339Nano, d.Samples.At[0])
		if err != nil || time.Since(first) > 5*time.Minute {
			t.Errorf("the oldest sample is of %v ago (%v)", time.Since(first), err)
		}
		var hits uint64
		for _, n := range d.Caches.Items[0].History.Hits {
			hits += n
		}
		if hits < 1000 || hits > 1200 { // four a second, for five minutes at most
			t.Errorf("the history has %d hits", hits)
		}
		if d := data(t, h, ""); d.Samples != nil || d.Caches.Items[0].History != nil {
			t.Error("a history that nobody asked for")
		}
	})
}

func TestCountsAreAtMostASecondOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := txcachetest.Memory(t)
		cache := txcache.Must(txcache.NewCache[int, string](store, "users", nil))
		h := debugpage.Handler(store, nil)
		if d := data(t, h, ""); d.Total.Hits != 0 {
			t.Fatalf("%+v", d)
		}
		fill(t, store, cache, "shop", 3)
		if d := data(t, h, ""); d.Total.Hits != 0 || d.Databases.Count != 0 {
			t.Errorf("counted twice in a second: %+v", d)
		}
		time.Sleep(time.Second)
		if d := data(t, h, ""); d.Total.Hits != 3 || d.Databases.Count != 1 {
			t.Errorf("not counted after a second: %+v", d)
		}
	})
}
