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
	// Begin begins a read-only transaction.
	Begin func(ctx context.Context, database string) (*transaction.Transaction, error)

	// OnStale is told of stale hits; nil: nobody is.
	OnStale func(context.Context, StaleHit)

	tasks *tasks

	// report is told of stale hits; if it is not nil, every hit is verified.
	report atomic.Pointer[func(database, cache string, key, cached, loaded any)]

	mu    sync.Mutex
	rates []*rate // of all caches
}

// NewStore returns a store whose caches refresh with what begin begins.
func NewStore(begin func(ctx context.Context, database string) (*transaction.Transaction, error), onStale func(context.Context, StaleHit)) *Store {
	return &Store{Begin: begin, OnStale: onStale, tasks: newTasks()}
}

// Close stops what is loaded in the background.
func (s *Store) Close() { s.tasks.close() }

// VerifyAll verifies every hit in caches that there are and that will be, and
// reports those that are stale.
func (s *Store) VerifyAll(report func(database, cache string, key, cached, loaded any)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.report.Store(&report)
	for _, r := range s.rates {
		r.set(1)
	}
}

// add has the hits of a cache verified at that rate.
func (s *Store) add(r *rate, verify float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.report.Load() != nil {
		verify = 1
	}
	r.set(verify)
	s.rates = append(s.rates, r)
}
