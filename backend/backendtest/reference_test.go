package backendtest_test

import (
	"bytes"
	"context"
	"sync"
	"time"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/backend/backendtest"
	"github.com/seed-dad15c92/txcache/memorybackend"
)

const lease = time.Minute

// authority is memorybackend with leases and values, for several servers.
type authority struct {
	generations *memorybackend.Backend
	staleness   time.Duration
	lapse       func(database string, f backend.Fence) // what a fence does that lapsed
	behind      bool                                   // versions begin anew with a restart

	mu     sync.Mutex
	leases map[string]map[backend.Token]leased
	values map[backend.Key]entry
}

type leased struct {
	fence backend.Fence
	end   time.Time
}

type entry struct {
	data []byte
	end  time.Time // zero: never
}

func newAuthority() *authority {
	a := &authority{
		generations: memorybackend.New(),
		leases:      map[string]map[backend.Token]leased{},
		values:      map[backend.Key]entry{},
	}
	a.lapse = func(database string, f backend.Fence) {
		a.generations.Unfence(context.Background(), database, f)
		a.generations.Clear(context.Background(), database, f)
	}
	return a
}

// resolve ends the leases of database whose time has come. a.mu is held.
func (a *authority) resolve(database string) {
	for id, l := range a.leases[database] {
		if !time.Now().Before(l.end) {
			delete(a.leases[database], id)
			a.lapse(database, l.fence)
		}
	}
}

// restart loses all that there is.
func (a *authority) restart() {
	a.mu.Lock()
	defer a.mu.Unlock()
	newest := func() uint64 {
		s, _ := a.generations.Clear(context.Background(), "of no one", backend.Fence{ID: backend.NewToken(), All: true})
		return s.Version
	}
	last := newest()
	a.generations = memorybackend.New()
	clear(a.leases)
	clear(a.values)
	for !a.behind && newest() <= last {
	}
}

// server is a Backend on an authority.
type server struct {
	*authority

	known    map[string]known // guarded by authority.mu
	isClosed bool             // guarded by authority.mu
}

type known struct {
	state *backend.State
	at    time.Time
}

func (a *authority) open() *server { return &server{authority: a, known: map[string]known{}} }

// enter locks the authority, unless it returns an error.
func (s *server) enter(ctx context.Context, database string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	s.mu.Lock()
	if s.isClosed {
		s.mu.Unlock()
		return backend.ErrClosed
	}
	s.resolve(database)
	return nil
}

func (s *server) Sync(ctx context.Context, database string) (*backend.State, error) {
	if err := s.enter(ctx, database); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	if k := s.known[database]; k.state != nil && time.Since(k.at) < s.staleness {
		return k.state, nil
	}
	state, err := s.generations.Sync(ctx, database)
	s.known[database] = known{state, time.Now()}
	return state, err
}

func (s *server) Fence(ctx context.Context, database string, f backend.Fence) error {
	if err := s.enter(ctx, database); err != nil {
		return err
	}
	defer s.mu.Unlock()
	delete(s.known, database)
	if s.leases[database] == nil {
		s.leases[database] = map[backend.Token]leased{}
	}
	_, renewed := s.leases[database][f.ID]
	f.Caches = append([]backend.Generation(nil), f.Caches...)
	f.Keys = append([]backend.Keys(nil), f.Keys...)
	for i := range f.Keys {
		f.Keys[i].Hashes = append([]uint64(nil), f.Keys[i].Hashes...)
	}
	s.leases[database][f.ID] = leased{f, time.Now().Add(f.Lease)}
	if renewed {
		return nil
	}
	return s.generations.Fence(ctx, database, f)
}

func (s *server) Clear(ctx context.Context, database string, f backend.Fence) (*backend.State, error) {
	if err := s.enter(ctx, database); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	delete(s.leases[database], f.ID)
	state, err := s.generations.Clear(ctx, database, f)
	s.known[database] = known{state, time.Now()}
	return state, err
}

func (s *server) Unfence(ctx context.Context, database string, f backend.Fence) error {
	if err := s.enter(ctx, database); err != nil {
		return err
	}
	defer s.mu.Unlock()
	delete(s.known, database)
	delete(s.leases[database], f.ID)
	return s.generations.Unfence(ctx, database, f)
}

func (s *server) Drop(ctx context.Context, database string) error {
	if err := s.enter(ctx, database); err != nil {
		return err
	}
	defer s.mu.Unlock()
	delete(s.known, database)
	delete(s.leases, database)
	for k := range s.values {
		if k.Database == database {
			delete(s.values, k)
		}
	}
	return s.generations.Drop(ctx, database)
}

func (s *server) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.isClosed = true
	return nil
}

func (s *server) Get(ctx context.Context, keys []backend.Key) ([][]byte, error) {
	if err := s.enter(ctx, ""); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	found := make([][]byte, len(keys))
	for i, k := range keys {
		if e, ok := s.values[k]; ok && (e.end.IsZero() || time.Now().Before(e.end)) {
			found[i] = append([]byte{}, e.data...)
		}
	}
	return found, nil
}

func (s *server) GetTimed(ctx context.Context, keys []backend.Key) ([][]byte, []time.Duration, error) {
	data, err := s.Get(ctx, keys)
	s.mu.Lock()
	defer s.mu.Unlock()
	left := make([]time.Duration, len(keys))
	for i, k := range keys {
		if left[i] = -1; !s.values[k].end.IsZero() {
			left[i] = time.Until(s.values[k].end)
		}
	}
	return data, left, err
}

func (s *server) Set(ctx context.Context, values []backend.Value) error {
	if err := s.enter(ctx, ""); err != nil {
		return err
	}
	defer s.mu.Unlock()
	for _, v := range values {
		e := entry{data: append([]byte{}, v.Data...)}
		if v.TTL > 0 {
			e.end = time.Now().Add(v.TTL)
		}
		s.values[v.Key] = e
	}
	return nil
}

func (s *server) Swap(ctx context.Context, swaps []backend.Swap) ([][]byte, error) {
	if err := s.enter(ctx, ""); err != nil {
		return nil, err
	}
	defer s.mu.Unlock()
	found := make([][]byte, len(swaps))
	for i, swap := range swaps {
		e, ok := s.values[swap.Key]
		if ok = ok && (e.end.IsZero() || time.Now().Before(e.end)); ok {
			found[i] = append([]byte{}, e.data...)
		}
		if ok != (swap.Old != nil) || !bytes.Equal(found[i], swap.Old) {
			continue
		}
		delete(s.values, swap.Key)
		if swap.New == nil {
			continue
		}
		if e = (entry{data: append([]byte{}, swap.New...)}); swap.TTL > 0 {
			e.end = time.Now().Add(swap.TTL)
		}
		s.values[swap.Key] = e
	}
	return found, nil
}

// underTest is what a has to promise, in a bubble of testing/synctest.
func (a *authority) underTest(open func(*server) backend.Backend) backendtest.Authority {
	return backendtest.Authority{
		Open:      func(context.Context) (backend.Backend, error) { return open(a.open()), nil },
		Lease:     lease,
		Advance:   time.Sleep,
		Staleness: a.staleness,
		Restart:   a.restart,
	}
}

// Forget forgets a database without leases.
func (s *server) Forget(database string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.leases[database]) > 0 {
		return false
	}
	delete(s.known, database)
	return s.generations.Forget(database)
}
