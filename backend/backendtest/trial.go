package backendtest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"github.com/seed-dad15c92/txcache/backend"
)

const (
	callLimit   = 10 * time.Second // after which a call that was given no other limit has failed
	promptLimit = 2 * time.Second  // within which a call whose context is over has to return
	standing    = 24 * time.Hour   // the lease of a fence that is not meant to lapse
)

// A trial is one check of one rule on one authority. As with testing.T, its
// first failure ends the goroutine it is met in.
type trial struct {
	Authority
	ctx   context.Context
	first *server

	mu      sync.Mutex
	servers []*server
	failure error // the first
	fences  fences
}

// failf notes the failure, unless there was one already, and ends the goroutine.
func (t *trial) failf(format string, args ...any) {
	t.fail(fmt.Errorf(format, args...))
	runtime.Goexit()
}

func (t *trial) fail(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.failure == nil {
		t.failure = err
	}
}

func (t *trial) outcome() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.failure
}

// parallel runs n workers and waits for them. What they panic with is a failure.
func (t *trial) parallel(n int, worker func(i int)) {
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			finished := false
			defer func() {
				if p := recover(); p != nil {
					t.fail(panicked(p))
				} else if !finished {
					t.fail(errEnded) // unless failf has noted why
				}
			}()
			worker(i)
			finished = true
		})
	}
	all.Wait()
}

// together is parallel for use within a rule: it ends the rule if one failed.
func (t *trial) together(n int, worker func(i int)) {
	t.parallel(n, worker)
	if t.outcome() != nil {
		runtime.Goexit()
	}
}

// open opens another server on the authority.
func (t *trial) open(name string) *server {
	b, err := t.Open(t.ctx)
	if err != nil {
		t.failf("opening %s: %w", name, err)
	}
	if b == nil {
		t.failf("Open returned neither a Backend nor an error")
	}
	s := &server{trial: t, Backend: b, name: name}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.servers = append(t.servers, s)
	return s
}

func (t *trial) closeAll() {
	for _, s := range t.servers {
		if err := s.try(t.ctx, callLimit, func(context.Context) error { return s.Close() }); err != nil {
			t.fail(fmt.Errorf("closing %s: %w", s.name, err))
		}
	}
}

// settle lets what one server did become known to the others.
func (t *trial) settle() {
	if t.Staleness > 0 {
		t.Advance(t.Staleness)
	}
}

func (t *trial) requireValues() {
	if _, ok := t.first.Backend.(backend.Values); !ok {
		t.failf("%w: the backend keeps no values", ErrSkipped)
	}
}

func (t *trial) requireSwaps() {
	if _, ok := t.first.Backend.(backend.Swapper); !ok {
		t.failf("%w: the backend does not swap values", ErrSkipped)
	}
}

func (t *trial) requireForgets() {
	if _, ok := t.first.Backend.(backend.Forgetter); !ok {
		t.failf("%w: the backend forgets no database", ErrSkipped)
	}
}

func (t *trial) requireTimed() {
	if _, ok := t.first.Backend.(backend.Timed); !ok {
		t.failf("%w: the backend does not tell how long it keeps a value", ErrSkipped)
	}
}

// A server is a Backend whose calls fail the trial if they return an error,
// panic or do not return at all.
type server struct {
	*trial
	backend.Backend
	name string
}

// sync waits, for a while, where a key is shown as fenced whose fence is gone.
func (s *server) sync(database string) *backend.State {
	for tries := 0; ; tries++ {
		state := s.state("Sync", database, func(ctx context.Context) (*backend.State, error) {
			return s.Sync(ctx, database)
		})
		if tries == lingerTries || s.Advance == nil || !s.lingers(database, state) {
			return state
		}
		s.Advance(lingerPause)
	}
}

func (s *server) clear(database string, f backend.Fence) *backend.State {
	defer s.lift(database, f)
	return s.state("Clear", database, func(ctx context.Context) (*backend.State, error) {
		return s.Clear(ctx, database, f)
	})
}

func (s *server) fence(database string, f backend.Fence) {
	s.place(database, f)
	s.do("Fence", database, func(ctx context.Context) error { return s.Fence(ctx, database, f) })
}

func (s *server) unfence(database string, f backend.Fence) {
	defer s.lift(database, f)
	s.do("Unfence", database, func(ctx context.Context) error { return s.Unfence(ctx, database, f) })
}

func (s *server) drop(database string) {
	s.do("Drop", database, func(ctx context.Context) error { return s.Drop(ctx, database) })
}

func (s *server) set(values ...backend.Value) {
	s.do("Set", "", func(ctx context.Context) error { return s.Backend.(backend.Values).Set(ctx, values) })
}

func (s *server) get(keys ...backend.Key) [][]byte {
	var data [][]byte
	s.do("Get", "", func(ctx context.Context) (err error) {
		data, err = s.Backend.(backend.Values).Get(ctx, keys)
		return err
	})
	if len(data) != len(keys) {
		s.failf("Get of %d keys returned %d values", len(keys), len(data))
	}
	return data
}

func (s *server) getTimed(keys ...backend.Key) ([][]byte, []time.Duration) {
	var data [][]byte
	var left []time.Duration
	s.do("GetTimed", "", func(ctx context.Context) (err error) {
		data, left, err = s.Backend.(backend.Timed).GetTimed(ctx, keys)
		return err
	})
	if len(data) != len(keys) || len(left) != len(keys) {
		s.failf("GetTimed of %d keys returned %d values and %d times", len(keys), len(data), len(left))
	}
	return data, left
}

func (s *server) swap(swaps ...backend.Swap) [][]byte {
	var found [][]byte
	s.do("Swap", "", func(ctx context.Context) (err error) {
		found, err = s.Backend.(backend.Swapper).Swap(ctx, swaps)
		return err
	})
	if len(found) != len(swaps) {
		s.failf("Swap of %d keys returned %d values", len(swaps), len(found))
	}
	return found
}

func (s *server) state(method, database string, call func(context.Context) (*backend.State, error)) *backend.State {
	var state *backend.State
	s.do(method, database, func(ctx context.Context) (err error) {
		state, err = call(ctx)
		return err
	})
	if state == nil {
		s.failf("%s of %.40q on %s returned neither a State nor an error", method, database, s.name)
	}
	return state
}

func (s *server) do(method, database string, call func(context.Context) error) {
	if err := s.try(s.ctx, callLimit, call); err != nil {
		s.failf("%s of %.40q on %s: %w", method, database, s.name, err)
	}
}

// try runs call in a goroutine that it gives up on after limit.
func (t *trial) try(ctx context.Context, limit time.Duration, call func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	result := make(chan error, 1)
	go func() {
		err := errEnded
		defer func() {
			if p := recover(); p != nil {
				err = panicked(p)
			}
			result <- err
		}()
		err = call(ctx)
	}()
	// The second half is for those who return because the context is over.
	late := time.NewTimer(limit + limit/2)
	defer late.Stop()
	select {
	case err := <-result:
		return err
	case <-late.C:
		return errHung
	}
}

var (
	errHung  = errors.New("the call does not return, not even when its context is over")
	errEnded = errors.New("the call ended its goroutine")
)

// A panicError is what a Backend panicked with, and where.
type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v\n%s", e.value, e.stack) }

func panicked(value any) error { return &panicError{value, debug.Stack()} }

// fenceOn returns a new fence on caches, at their generations in s.
func fenceOn(s *backend.State, caches ...string) backend.Fence {
	f := backend.Fence{ID: backend.NewToken(), Lease: standing}
	for _, cache := range slices.Compact(slices.Sorted(slices.Values(caches))) {
		f.Caches = append(f.Caches, backend.Generation{Cache: cache, Token: s.Token(cache)})
	}
	return f
}

// fenceOnAll returns a new fence on all caches, naming some of them.
func fenceOnAll(s *backend.State, caches ...string) backend.Fence {
	f := fenceOn(s, caches...)
	f.All = true
	return f
}

// fenced fails the trial unless s shows the caches as fenced, or all as not.
func (t *trial) fenced(s *backend.State, want bool, when string, caches ...string) {
	for _, cache := range caches {
		if got := s.IsFenced(cache); got != want {
			t.failf("%s: the State has cache %.40q as fenced: %t, want %t", when, cache, got, want)
		}
	}
}

// moved fails the trial unless the caches are at other tokens in now than in old.
func (t *trial) moved(old, now *backend.State, when string, caches ...string) {
	for _, cache := range caches {
		if now.Token(cache) == old.Token(cache) {
			t.failf("%s: cache %.40q is at the generation %q as before, want a new one", when, cache, now.Token(cache))
		}
	}
}

// kept fails the trial unless the caches are at the same tokens in now and in old.
func (t *trial) kept(old, now *backend.State, when string, caches ...string) {
	for _, cache := range caches {
		if now.Token(cache) != old.Token(cache) {
			t.failf("%s: cache %.40q went from the generation %q to %q, want no change", when, cache, old.Token(cache), now.Token(cache))
		}
	}
}

// at fails the trial unless cache is at token, or if it is and must not be.
func (t *trial) at(s *backend.State, want bool, when, cache string, token backend.Token) {
	if got := s.Token(cache); (got == token) != want {
		t.failf("%s: cache %.40q is at %q; equal to %q: %t, want %t", when, cache, got, token, !want, want)
	}
}
