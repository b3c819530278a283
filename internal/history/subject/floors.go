package subject

import (
	"context"
	"math/rand/v2"
	"sync"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/memorybackend"
)

// A floors is a memory backend that forgets deletes early, as one would that has many
// more of them to remember: it raises floors, now and then, when something is deleted.
type floors struct {
	*memorybackend.Backend

	mu      sync.Mutex
	random  *rand.Rand // the same in each history
	version uint64     // of the last state
	raised  map[string]map[string]uint64
	shown   map[string]shown // by database
}

// A shown is the last state of a database, and what it was made from.
type shown struct{ inner, state *backend.State }

func newFloors() *floors {
	return &floors{
		Backend: memorybackend.New(), random: rand.New(rand.NewPCG(1, 0xf1)),
		raised: map[string]map[string]uint64{}, shown: map[string]shown{},
	}
}

func (f *floors) Sync(ctx context.Context, database string) (*backend.State, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	inner, err := f.Backend.Sync(ctx, database)
	if err != nil {
		return nil, err
	}
	return f.show(database, inner), nil
}

func (f *floors) Clear(ctx context.Context, database string, fence backend.Fence) (*backend.State, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	inner, err := f.Backend.Clear(ctx, database, fence)
	if err != nil {
		return nil, err
	}
	for _, k := range fence.Keys {
		if f.random.IntN(4) == 0 {
			f.raise(database, k.Cache, inner)
		}
	}
	return f.show(database, inner), nil
}

func (f *floors) Drop(ctx context.Context, database string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.raised, database)
	delete(f.shown, database)
	return f.Backend.Drop(ctx, database)
}

// raise raises the floor of a cache up to the last delete. f.mu is held.
func (f *floors) raise(database, cache string, inner *backend.State) {
	if f.raised[database] == nil {
		f.raised[database] = map[string]uint64{}
	}
	last := inner.Deletes.Of(cache).Latest()
	f.raised[database][cache] = max(f.raised[database][cache], last-min(last, f.random.Uint64N(6)))
	delete(f.shown, database)
}

// show returns the state to show. f.mu is held.
func (f *floors) show(database string, inner *backend.State) *backend.State {
	if s := f.shown[database]; s.inner == inner {
		return s.state
	}
	state := *inner
	f.version++
	state.Version = f.version
	for cache, number := range f.raised[database] {
		state.Deletes = state.Deletes.Raise(cache, number)
	}
	f.shown[database] = shown{inner, &state}
	return &state
}
