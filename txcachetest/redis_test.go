package txcachetest_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/txcachetest"
)

// What one server commits, the other reads; what one clears, the other misses.
func TestServersSeeEachOthersCommits(t *testing.T) {
	servers := txcachetest.RedisServers(t, 2)
	here, there := newPrice(t, servers[0], 0), newPrice(t, servers[1], 0)
	for round := range 3 {
		set(t, servers[0], here, round)
		if v, ok := get(t, servers[1], there); !ok || v != round {
			t.Errorf("the other server reads %d, %v; want %d", v, ok, round)
		}
		if err := servers[1].Update(t.Context(), "shop", there.Clear); err != nil {
			t.Fatal(err)
		}
		if v, ok := get(t, servers[0], here); ok {
			t.Errorf("the first server reads %d, which the other has cleared", v)
		}
	}
	if s := there.Stats(); s.RemoteHits != 3 {
		t.Errorf("%d values came from Redis, want 3", s.RemoteHits)
	}
}

// A value that another server has read expires there at the same moment.
func TestValuesExpireOnEveryServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		servers := txcachetest.RedisServers(t, 3)
		var prices []*txcache.Cache[string, int]
		for _, s := range servers {
			prices = append(prices, newPrice(t, s, time.Hour))
		}
		set(t, servers[0], prices[0], 12)
		time.Sleep(59 * time.Minute)
		if v, ok := get(t, servers[1], prices[1]); !ok || v != 12 {
			t.Errorf("a minute before its end: %d, %v; want 12", v, ok)
		}
		time.Sleep(time.Minute)
		for i, s := range servers {
			if v, ok := get(t, s, prices[i]); ok {
				t.Errorf("server %d reads %d, which has expired", i, v)
			}
		}
	})
}

// Whole days pass in a bubble without an outage, whatever the connections do.
func TestRedisOutlivesALongPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := txcachetest.Redis(t)
		price := newPrice(t, store, 0)
		for range 3 {
			set(t, store, price, 12)
			if _, ok := get(t, store, price); !ok {
				t.Error("a miss right after the commit")
			}
			time.Sleep(48 * time.Hour)
			if v, ok := get(t, store, price); ok {
				t.Errorf("%d is there after two days; class redis keeps no value for longer than 12 hours", v)
			}
		}
	})
}
