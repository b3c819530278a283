package subject

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/history"
)

// Faulty opens stores that share one authority within the process, and returns
// the faults that befall the one that was opened last: calls fail before or
// after they were done, or are done later; metadata and values get lost; fences
// lapse; time passes. Play it in a bubble of testing/synctest, where the hours
// that pass cost nothing and always in the same order.
//
// With remote the authority also keeps encoded values, and with near the stores
// keep decoded ones all the same; without remote they must.
func Faulty(remote, near bool) (history.Open, []history.Fault) {
	p := &patient{}
	open := Of(func(_ context.Context, servers int) ([]*txcache.Store, error) {
		p.authority = newAuthority()
		var b backend.Backend = p.authority
		if remote {
			b = &archive{authority: p.authority}
		}
		stores := make([]*txcache.Store, servers)
		for i := range stores {
			o := Options()
			o.Fence, o.NoNear = Lease, !near
			var err error
			if stores[i], err = txcache.New(b, o); err != nil {
				return nil, errors.Join(err, closeAll(stores[:i]))
			}
		}
		return stores, nil
	})
	return open, p.faults(remote)
}

// Lease is that of the fences on a faulty authority.
const Lease = time.Second

// errFault is what an authority answers that was made to fail.
var errFault = errors.New("subject: the authority does not answer")

// An authority is a memory backend that forgets deletes early, whose calls can be made to
// fail, and whose fences lapse. It is safe for concurrent use.
type authority struct {
	backend *floors

	mu     sync.Mutex
	armed  map[call]failure // of the next call of that kind
	outage int              // how many calls more fail
	deaf   bool             // fences cannot be renewed
	late   []func()         // what is done later
	known  map[string]bool  // databases
	fences []standing
	values map[backend.Key]stored // see archive
}

// A call is what is asked of an authority.
type call string

// A failure is what becomes of a call that fails.
type failure string

const (
	before failure = "is not done"
	after  failure = "is done, but says it is not"
	later  failure = "is done later, and says it is not"
)

// A standing is a fence that stands.
type standing struct {
	database string
	fence    backend.Fence
	until    time.Time
}

func newAuthority() *authority {
	return &authority{backend: newFloors(), armed: map[call]failure{}, known: map[string]bool{}, values: map[backend.Key]stored{}}
}

// do does what is asked, if it does not fail. What it is given is called with
// a.mu held.
func (a *authority) do(ctx context.Context, c call, done func(context.Context) error) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	a.lapse()
	if a.outage > 0 {
		a.outage--
		return errFault
	}
	if c == "fence" && a.deaf {
		return errFault
	}
	f := a.armed[c]
	delete(a.armed, c)
	switch f {
	case before:
		return errFault
	case after:
		return errors.Join(errFault, done(ctx))
	case later:
		a.late = append(a.late, func() { _ = done(context.WithoutCancel(ctx)) }) // nobody hears the answer
		return errFault
	}
	return done(ctx)
}

// lapse clears what fences stood on whose lease has ended. a.mu is held.
func (a *authority) lapse() {
	now := time.Now()
	a.fences = slices.DeleteFunc(a.fences, func(s standing) bool {
		if now.Before(s.until) {
			return false
		}
		ctx, f := context.Background(), s.fence
		f.ID = backend.NewToken() // a clear of the authority's own
		_, err := a.backend.Clear(ctx, s.database, f)
		return errors.Join(err, a.backend.Unfence(ctx, s.database, s.fence)) == nil || errors.Is(err, backend.ErrClosed)
	})
}

func (a *authority) Sync(ctx context.Context, database string) (state *backend.State, err error) {
	err = a.do(ctx, "sync", func(ctx context.Context) (err error) {
		a.known[database] = true
		state, err = a.backend.Sync(ctx, database)
		return err
	})
	return state, err
}

func (a *authority) Fence(ctx context.Context, database string, f backend.Fence) error {
	f.Caches = slices.Clone(f.Caches)
	return a.do(ctx, "fence", func(ctx context.Context) error {
		a.lift(f.ID)
		a.fences = append(a.fences, standing{database, f, time.Now().Add(f.Lease)})
		return a.backend.Fence(ctx, database, f)
	})
}

func (a *authority) Clear(ctx context.Context, database string, f backend.Fence) (*backend.State, error) {
	var state *backend.State
	err := a.do(ctx, "clear", func(ctx context.Context) (err error) {
		a.lift(f.ID)
		state, err = a.backend.Clear(ctx, database, f)
		return err
	})
	if err != nil {
		return nil, err // state may be set later
	}
	return state, nil
}

func (a *authority) Unfence(ctx context.Context, database string, f backend.Fence) error {
	return a.do(ctx, "unfence", func(ctx context.Context) error {
		a.lift(f.ID)
		return a.backend.Unfence(ctx, database, f)
	})
}

func (a *authority) Drop(ctx context.Context, database string) error {
	return a.do(ctx, "drop", func(ctx context.Context) error {
		a.fences = slices.DeleteFunc(a.fences, func(s standing) bool { return s.database == database })
		return a.backend.Drop(ctx, database)
	})
}

func (a *authority) Close() error { return a.backend.Close() }

// lift removes a fence. a.mu is held.
func (a *authority) lift(id backend.Token) {
	a.fences = slices.DeleteFunc(a.fences, func(s standing) bool { return s.fence.ID == id })
}
