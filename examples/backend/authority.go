package httpbackend

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"sync"
	"time"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/memorybackend"
)

// An Authority keeps the generations of all databases for any number of
// processes, and serves them over HTTP. It knows nothing of values, and forgets
// everything when its process ends: every value is a miss then.
//
// It trusts whoever reaches it. Let nobody but the service's own processes do so.
type Authority struct {
	life backend.Token // this one's, told with each state

	mu       sync.Mutex
	states   *memorybackend.Backend
	standing map[string]map[backend.Token]leased // by database and ID
	deleted  map[string]*deletions               // by database
}

// A leased fence is one that lapses.
type leased struct {
	backend.Fence
	until time.Time
}

// A request is the body of each call. Its path says which.
type request struct {
	Database string
	Life     backend.Token // sync: of the authority that the caller has a state of
	Known    uint64        // sync: its version in that life
	Epoch    backend.Token // of the state that the caller has
	Number   uint64        // and its number
	Fence    backend.Fence // of the other calls but drop
}

// An answer is a state, whose Version counts in one life of the authority. Its
// deletes are told apart from it, and only those that the caller does not know.
type answer struct {
	Life    backend.Token
	State   *backend.State
	Deleted []deletion        // since the state that the caller has, or, with Whole, all
	Whole   bool              // the caller has no state to begin with, or is too far behind
	Floors  map[string]uint64 // with Whole
}

const maxRequest = 1 << 20 // bytes

// NewAuthority returns an Authority that has seen no database yet.
func NewAuthority() *Authority {
	return &Authority{
		// The next life begins to count anew, so it must not be taken for this one.
		life:     backend.NewToken(),
		states:   memorybackend.New(),
		standing: map[string]map[backend.Token]leased{},
		deleted:  map[string]*deletions{},
	}
}

// ServeHTTP answers one call with a state, or without content: the caller asked
// for none, or has it.
func (a *Authority) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var q request
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxRequest)).Decode(&q); err != nil {
		http.Error(w, "the request is not understood", http.StatusBadRequest)
		return
	}
	found, err := a.do(r.Context(), r.URL.Path, q)
	switch {
	case errors.Is(err, errUnknownCall):
		http.NotFound(w, r)
	case err != nil:
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
	case found == nil:
		w.WriteHeader(http.StatusNoContent)
	default:
		json.NewEncoder(w).Encode(found) // who has gone away needs no answer
	}
}

var errUnknownCall = errors.New("unknown call")

// do does one call. Calls run one after another: each sees all of those before.
func (a *Authority) do(ctx context.Context, call string, q request) (*answer, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.lapse(ctx, q.Database); err != nil {
		return nil, err
	}
	switch call {
	case "/sync":
		return a.answer(q)(a.states.Sync(ctx, q.Database))
	case "/fence":
		if a.standing[q.Database] == nil {
			a.standing[q.Database] = map[backend.Token]leased{}
		}
		a.standing[q.Database][q.Fence.ID] = leased{q.Fence, time.Now().Add(q.Fence.Lease)}
		return nil, a.states.Fence(ctx, q.Database, q.Fence)
	case "/clear":
		delete(a.standing[q.Database], q.Fence.ID)
		return a.answer(q)(a.clear(ctx, q.Database, q.Fence))
	case "/unfence":
		delete(a.standing[q.Database], q.Fence.ID)
		return nil, a.states.Unfence(ctx, q.Database, q.Fence)
	case "/drop":
		delete(a.standing, q.Database)
		delete(a.deleted, q.Database)
		return nil, a.states.Drop(ctx, q.Database)
	}
	return nil, errUnknownCall
}

// clear starts new generations, and keeps what was deleted. a.mu is held.
func (a *Authority) clear(ctx context.Context, database string, f backend.Fence) (*backend.State, error) {
	s, err := a.states.Clear(ctx, database, f)
	if err == nil && len(f.Keys) > 0 {
		if a.deleted[database] == nil {
			a.deleted[database] = &deletions{floors: map[string]uint64{}}
		}
		a.deleted[database].add(deletion{s.Number, f.Keys})
	}
	return s, err
}

// lapse clears the caches and deletes the keys of fences whose lease has ended, under other
// tokens than the fences' own, and removes the fences then. a.mu is held.
func (a *Authority) lapse(ctx context.Context, database string) error {
	for id, f := range a.standing[database] {
		if time.Now().Before(f.until) {
			continue
		}
		owner := f.Fence
		f.ID = backend.NewToken()
		if _, err := a.clear(ctx, database, f.Fence); err != nil {
			return err
		}
		if err := a.states.Unfence(ctx, database, owner); err != nil {
			return err
		}
		delete(a.standing[database], id)
	}
	return nil
}

// answer returns what makes the answer of a state: none if the caller has it.
func (a *Authority) answer(q request) func(*backend.State, error) (*answer, error) {
	return func(s *backend.State, err error) (*answer, error) {
		if err != nil || q.Life == a.life && q.Known == s.Version {
			return nil, err
		}
		plain := *s
		plain.Deletes = nil
		found := &answer{Life: a.life, State: &plain}
		found.Whole = q.Epoch != s.Epoch
		if d := a.deleted[q.Database]; d != nil {
			found.Whole = found.Whole || q.Number < d.forgotten
			if found.Whole {
				q.Number, found.Floors = 0, maps.Clone(d.floors)
			}
			found.Deleted = d.since(q.Number)
		}
		return found, nil
	}
}
