package deletes_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/storetest"
	"github.com/seed-dad15c92/txcache/memorybackend"
)

// A leaping backend counts each change as many.
type leaping struct {
	backend.Backend
	leap uint64

	mu      sync.Mutex
	deletes *backend.Deletes
	states  map[*backend.State]*backend.State // by those of the backend within
}

func newLeaping(leap uint64) *leaping {
	return &leaping{Backend: memorybackend.New(), leap: leap, states: map[*backend.State]*backend.State{}}
}

func (b *leaping) Sync(ctx context.Context, database string) (*backend.State, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s, err := b.Backend.Sync(ctx, database)
	return b.state(s), err
}

func (b *leaping) Clear(ctx context.Context, database string, f backend.Fence) (*backend.State, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s, err := b.Backend.Clear(ctx, database, f)
	b.deletes = b.deletes.Forget(f.Caches...).Add(s.Number*b.leap, f.Keys...)
	return b.state(s), err
}

func (b *leaping) state(of *backend.State) *backend.State {
	if s, ok := b.states[of]; ok {
		return s
	}
	s := *of
	s.Number, s.Deletes = of.Number*b.leap, b.deletes
	b.states[of] = &s
	return &s
}

// P4: however fast a backend counts, and however far, what was deleted is gone, what is
// filled afterwards hits, and no older transaction refills.
func TestNumbersOfAnySize(t *testing.T) {
	for _, leap := range []uint64{1, 1 << 20, 1 << 28, 1<<29 - 1, 1 << 29, 1<<29 + 1, 1 << 31, 1 << 42, 1 << 55} {
		for _, r := range removals {
			t.Run(fmt.Sprint(leap, "/", r.name), func(t *testing.T) {
				store := storetest.NewStore(t, newLeaping(leap), txcache.Options{})
				c := tagged(t, store, txcache.CacheOptions{})
				for round := range 10 {
					fill := storetest.BeginReadOnly(t, store, "db")
					c.Set(fill, "x", round)
					c.SetAbsent(fill, "absent")
					storetest.Commit(t, fill)
					old := storetest.BeginReadOnly(t, store, "db")
					storetest.Hit(t, old, c, "x", round, "it was filled")
					if !c.Absent(t.Context(), old, "absent") {
						t.Error("the absence is forgotten at once")
					}
					r.commit(t, store, c)
					c.Set(old, "x", round)
					storetest.Miss(t, storetest.BeginReadOnly(t, store, "db"), c, "x", "it was deleted")
					must(t, old.Rollback())
					storetest.Miss(t, storetest.BeginReadOnly(t, store, "db"), c, "x", "an older transaction has refilled it")
				}
			})
		}
	}
}
