package loading

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/seed-dad15c92/txcache/internal/transaction"
)

// A Store is what the loads of one store have in common. It is safe for concurrent
// use.
type Store struct {
	// begin begins a read-only transaction.
	begin func(ctx context.Context, database string) (*transaction.Transaction, error)

	// onStale gets stale hits; nil: it is not called.
	onStale func(context.Context, StaleHit)

	tasks *tasks

	// report gets stale hits; if it is not nil, every hit is verified.
	report atomic.Pointer[func(database, cache string, key, cached, loaded any)]

	mu    sync.Mutex
	rates []*rate // of all caches
}

// NewStore returns a store whose caches refresh in transactions that begin begins.
func NewStore(begin func(ctx context.Context, database string) (*transaction.Transaction, error), onStale func(context.Context, StaleHit)) *Store {
	return &Store{begin: begin, onStale: onStale, tasks: newTasks()}
}

// Close stops the loads in the background.
func (s *Store) Close() { s.tasks.close() }

// VerifyAll verifies every hit in the caches of the store, later ones included, and
// reports those that are stale.
func (s *Store) VerifyAll(report func(database, cache string, key, cached, loaded any)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.report.Store(&report)
	for _, r := range s.rates {
		r.set(1)
	}
}

// add makes verify the rate at which the hits of a cache are verified.
func (s *Store) add(r *rate, verify float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.report.Load() != nil {
		verify = 1
	}
	r.set(verify)
	s.rates = append(s.rates, r)
}
