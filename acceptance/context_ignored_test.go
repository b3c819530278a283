package acceptance_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/internal/storetest"
)

// A session is in use by another goroutine while requests are served with it, under
// a lock that the cache knows nothing of.
type session struct {
	mu   sync.Mutex
	data map[string]int
}

func liveSession(t *testing.T) *session {
	s := &session{data: map[string]int{}}
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
				s.mu.Lock()
				s.data[fmt.Sprint(i%1000)] = i
				s.mu.Unlock()
			}
		}
	}()
	t.Cleanup(func() { close(stop); <-stopped })
	return s
}

// What a store or a cache ignores of the user context is not looked at: the race
// detector finds who does, and without it the process may die.
func TestIgnoredContextIsNotLookedAt(t *testing.T) {
	for _, test := range []struct {
		name  string
		store []string
		cache []string
		other *txcache.CacheOptions // another cache, which is not used with a session
	}{
		{name: "by the store", store: []string{"_request"}, other: &txcache.CacheOptions{}},
		{name: "by the only cache", cache: []string{"_request"}},
		{name: "by one of two caches", cache: []string{"_request"}, other: &txcache.CacheOptions{}},
		{name: "beside a cache without a context", cache: []string{"_request"}, other: &txcache.CacheOptions{ContextFree: true}},
	} {
		t.Run(test.name, func(t *testing.T) {
			eachSetup(t, func(t *testing.T, s storetest.Setup) {
				store := s.Open(t, 1, txcache.Options{ContextIgnoredKeys: test.store})[0]
				c := storetest.NewCache[int, int](t, store, "c", txcache.CacheOptions{IgnoreContext: test.cache})
				var other *txcache.Cache[int, int]
				if test.other != nil {
					other = storetest.NewCache[int, int](t, store, "other", *test.other)
				}
				live := liveSession(t)
				for i := range 100 {
					tx := storetest.BeginReadOnly(t, store, "db")
					h := tx.WithUser(1).WithContext(map[string]any{"language": "de"})
					c.Set(h, 1, i)
					for _, v := range []any{live, live.data, []any{live}} {
						with := h.WithContext(map[string]any{"_request": v})
						storetest.Hit(t, with, c, 1, i, "the context is the same")
						storetest.Hit(t, with.WithUser(2).WithUser(1), c, 1, i, "the context is the same")
						storetest.Miss(t, with.WithContext(map[string]any{"language": "fr"}), c, 1, "the language is another one")
						with.WithContext(map[string]any{"language": "it"})
					}
					if other != nil {
						other.Set(h, 1, i)
						storetest.Hit(t, h, other, 1, i, "it has nothing to do with sessions")
						if test.other.ContextFree {
							storetest.Hit(t, h.WithContext(map[string]any{"_request": live}), other, 1, i, "it has no context")
						}
					}
					storetest.Commit(t, tx)
				}
			})
		})
	}
}

// What one cache ignores makes a difference to another.
func TestIgnoredByOneCacheAlone(t *testing.T) {
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		store := s.One(t)
		c := storetest.NewCache[int, int](t, store, "c", txcache.CacheOptions{})
		storetest.NewCache[int, int](t, store, "ignoring", txcache.CacheOptions{IgnoreContext: []string{"k"}})
		tx := storetest.Begin(t, store, "db")
		for i, v := range []any{"a", 1, []string{"a"}, map[string]int{"a": 1}, map[string]int{"a": 2}, &session{}, nil} {
			c.Set(tx.WithContext(map[string]any{"k": v}), 1, i)
			for range 2 {
				storetest.Hit(t, tx.WithContext(map[string]any{"k": v}), c, 1, i, "the context is the same")
			}
		}
		storetest.Miss(t, tx, c, 1, "there is no context")
		companies := []int{1}
		h := tx.WithContext(map[string]any{"k": companies})
		c.Set(tx.WithContext(map[string]any{"k": []int{1}}), 1, 10)
		c.Set(tx.WithContext(map[string]any{"k": []int{2}}), 1, 20)
		companies[0] = 2
		storetest.Hit(t, h, c, 1, 10, "a list is what it was when it was given")
	})
}
