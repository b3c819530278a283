// Package memorybackend keeps the generations of databases in the process. It
// is the authority behind class "memory".
//
// Values live in the near caches of the stores that use it. Two stores that
// share one Backend, as the servers of a test may, share its clears and fences,
// not values; closing one of them closes the Backend.
package memorybackend

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/seed-dad15c92/txcache/backend"
)

// Backend is a [backend.Backend] within the process. Its fences have no lease,
// for they cannot outlive the process that placed them.
type Backend struct {
	closed atomic.Bool
	states sync.Map // of database to *backend.State; stored under mu

	mu      sync.Mutex
	version uint64                                     // of the newest state of any database
	fences  map[string]map[backend.Token]backend.Fence // standing, by database and ID
}

// New returns a Backend that has seen no database yet.
func New() *Backend {
	return &Backend{fences: map[string]map[backend.Token]backend.Fence{}}
}

// Sync returns the state of database. It takes no lock for one seen before.
func (b *Backend) Sync(ctx context.Context, database string) (*backend.State, error) {
	if err := b.usable(ctx); err != nil {
		return nil, err
	}
	if s, ok := b.states.Load(database); ok {
		return s.(*backend.State), nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.state(database), nil
}

// Fence places f; placing it again changes nothing.
func (b *Backend) Fence(ctx context.Context, database string, f backend.Fence) error {
	if err := b.usable(ctx); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, stands := b.fences[database][f.ID]; stands {
		return nil
	}
	if b.fences[database] == nil {
		b.fences[database] = map[backend.Token]backend.Fence{}
	}
	f.Caches, f.Keys = slices.Clone(f.Caches), cloneKeys(f.Keys)
	b.fences[database][f.ID] = f
	b.change(database, *b.state(database))
	return nil
}

// Clear starts new generations and removes f.
func (b *Backend) Clear(ctx context.Context, database string, f backend.Fence) (*backend.State, error) {
	if err := b.usable(ctx); err != nil {
		return nil, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	old := b.state(database)
	_, stood := b.fences[database][f.ID]
	b.removeFence(database, f)

	next := *old
	if f.All {
		next.Base, next.Caches, next.Deletes = backend.NewToken(), nil, next.Deletes.ForgetAll()
	}
	// One token serves all of this clear: a generation is a cache and a token.
	fresh := backend.NewToken()
	cleared := make([]backend.Generation, 0, len(f.Caches))
	for _, g := range f.Caches {
		token := fresh
		if stood && old.Token(g.Cache) == g.Token {
			token = f.ID
		}
		cleared = append(cleared, backend.Generation{Cache: g.Cache, Token: token})
	}
	if len(cleared) > 0 {
		next.Put(cleared)
	}
	next.Deletes = next.Deletes.Forget(cleared...).Add(b.version+1, f.Keys...)
	return b.change(database, next), nil
}

// Unfence removes f.
func (b *Backend) Unfence(ctx context.Context, database string, f backend.Fence) error {
	if err := b.usable(ctx); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.removeFence(database, f) {
		b.change(database, *b.state(database))
	}
	return nil
}

// Drop forgets everything of database.
func (b *Backend) Drop(ctx context.Context, database string) error {
	if err := b.usable(ctx); err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.states.Delete(database)
	delete(b.fences, database)
	return nil
}

// Close makes every later call but Close fail.
func (b *Backend) Close() error {
	b.closed.Store(true)
	return nil
}

func (b *Backend) usable(ctx context.Context) error {
	if b.closed.Load() {
		return backend.ErrClosed
	}
	return ctx.Err()
}

// state returns the state of database, a first one if it has none. b.mu is held.
func (b *Backend) state(database string) *backend.State {
	if s, ok := b.states.Load(database); ok {
		return s.(*backend.State)
	}
	epoch := backend.NewToken()
	return b.change(database, backend.State{Epoch: epoch, Base: epoch})
}

// change makes next, with the fences that stand, the state of database. b.mu is held.
func (b *Backend) change(database string, next backend.State) *backend.State {
	b.version++
	next.Version, next.Number = b.version, b.version
	next.Fenced, next.FencedKeys, next.AllFenced = nil, nil, false
	for _, f := range b.fences[database] {
		next.AllFenced = next.AllFenced || f.All
		next.FencedKeys = append(next.FencedKeys, f.Keys...)
		for _, g := range f.Caches {
			next.Fenced = append(next.Fenced, g.Cache)
		}
	}
	slices.Sort(next.Fenced)
	next.Fenced = slices.Compact(next.Fenced)
	b.states.Store(database, &next)
	return &next
}

// Forget lets go of the state of database. Its next state has another epoch.
func (b *Backend) Forget(database string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.fences[database]) > 0 {
		return false
	}
	b.states.Delete(database)
	return true
}

// removeFence removes f and reports whether it stood. b.mu must be held.
func (b *Backend) removeFence(database string, f backend.Fence) bool {
	_, stood := b.fences[database][f.ID]
	delete(b.fences[database], f.ID)
	if len(b.fences[database]) == 0 {
		delete(b.fences, database)
	}
	return stood
}

func cloneKeys(keys []backend.Keys) []backend.Keys {
	keys = slices.Clone(keys)
	for i := range keys {
		keys[i].Hashes = slices.Clone(keys[i].Hashes)
	}
	return keys
}
