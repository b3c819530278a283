package near_test

import (
	"sync"
	"sync/atomic"
	"testing"

	"github.com/seed-dad15c92/txcache/internal/near"
)

// pair is torn if its parts differ.
type pair struct{ key, again, version int }

func TestReadersNeverMissAPresentKeyWhileTheTableGrows(t *testing.T) {
	const size, readers = 5000, 3
	for range 5 {
		m := near.New[int, pair](size)
		var set atomic.Int64 // keys below it are there
		var wg sync.WaitGroup
		for r := range readers {
			wg.Go(func() {
				for i := r; ; i++ {
					n := int(set.Load())
					if n == size {
						return
					} else if n == 0 {
						continue
					}
					key := i % n
					if got, ok := m.Get(key, hashOf(key)); !ok || got.key != key || got.again != key {
						t.Errorf("Get(%d) = %v, %v with %d keys", key, got, ok, n)
						return
					}
				}
			})
		}
		for i := range size {
			m.Set(i, hashOf(i), pair{i, i, 0}, 0, 0)
			m.Set(i/2, hashOf(i/2), pair{i / 2, i / 2, i}, 0, 0)
			set.Store(int64(i + 1))
		}
		wg.Wait()
	}
}

func TestValuesAreNeverTornNorOfAnotherKeyWhileOthersAreEvicted(t *testing.T) {
	const size, keys, rounds = 50, 200, 20000
	m, o := owned[int, pair](size)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range rounds {
				key := (i*7 + g*13) % keys
				hash := hashOf(key) % 64 // many of one hash
				if got, ok := m.Get(key, hash); ok && (got.key != key || got.again != key) {
					t.Errorf("Get(%d) = %v", key, got)
					return
				} else if !ok || i%5 == 0 {
					m.Set(key, hash, pair{key, key, i}, 0, 0)
				}
				if n := m.Len(); n > size {
					t.Errorf("Len() = %d, want at most %d", n, size)
					return
				}
			}
		})
	}
	wg.Wait()
	if o.evictions == 0 {
		t.Error("nothing was evicted")
	}
}

func TestAGetAfterASetSeesItOrALaterOne(t *testing.T) {
	m := near.New[string, int](10)
	hash := hashOf("a")
	m.Set("a", hash, 0, 0, 0)
	var published atomic.Int64
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for published.Load() < 20000 {
				least := int(published.Load())
				if got, ok := m.Get("a", hash); !ok || got < least {
					t.Errorf("Get = %d, %v after %d was set", got, ok, least)
					return
				}
			}
		})
	}
	for i := range 20000 {
		m.Set("a", hash, i+1, 0, 0)
		published.Store(int64(i + 1))
	}
	wg.Wait()
}
