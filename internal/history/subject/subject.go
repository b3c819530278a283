// Package subject lets histories run on stores of txcache.
package subject

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/history"
	"github.com/seed-dad15c92/txcache/memorybackend"
)

// Memory opens stores that share the generations of one memory backend.
func Memory() history.Open {
	return over(Options(), func() backend.Backend { return memorybackend.New() })
}

// ScarceMemory is about what one database of a DefaultWorld takes: of several, those leave that
// were not used just now.
const ScarceMemory = 8000

// Scarce is Memory with so little memory that databases leave all the time.
func Scarce() history.Open {
	o := Options()
	o.Memory = ScarceMemory
	return over(o, func() backend.Backend { return memorybackend.New() })
}

// Forgetful is Memory with a backend that forgets many deletes, and raises floors.
func Forgetful() history.Open {
	return over(Options(), func() backend.Backend { return newFloors() })
}

func over(o *txcache.Options, open func() backend.Backend) history.Open {
	return Of(func(_ context.Context, servers int) ([]*txcache.Store, error) {
		b := open()
		stores := make([]*txcache.Store, servers)
		for i := range stores {
			var err error
			if stores[i], err = txcache.New(b, o); err != nil {
				return nil, err
			}
		}
		return stores, nil
	})
}

// shortest is how long caches are bypassed after a commit in doubt: no longer than
// need be, as there are many of those.
const shortest = 100 * time.Millisecond

// Options returns those that the stores of a history must have.
func Options() *txcache.Options {
	return &txcache.Options{Fence: shortest, ContextIgnoredKeys: []string{history.IgnoredKey}, OnStale: onStale, Logger: silent}
}

// Of makes servers of the stores that open returns, all over one authority and
// with Options.
func Of(open func(ctx context.Context, servers int) ([]*txcache.Store, error)) history.Open {
	return func(ctx context.Context, n int, specs []history.CacheSpec) ([]history.Server, error) {
		stores, err := open(ctx, n)
		if err != nil {
			return nil, err
		}
		servers := make([]history.Server, len(stores))
		for i, store := range stores {
			s := &server{Store: store}
			servers[i] = s
			for _, spec := range specs {
				c, err := txcache.NewCache[string, history.Value](store, spec.Name, &txcache.CacheOptions{
					ContextFree: spec.ContextFree,
					Warm:        spec.Warm,
					Size:        spec.Size,
					Duration:    spec.Duration,
					Jitter:      spec.Jitter,
					StaleFor:    spec.StaleFor,
					Absent:      spec.Absent,
					Lease:       spec.Lease,
					Verify:      spec.Verify,
				})
				if err != nil {
					return nil, errors.Join(err, closeAll(stores))
				}
				if spec.Tagged {
					c.TagBy(func(_ string, v history.Value) []string { return v.Tags() })
				}
				s.caches = append(s.caches, c)
			}
		}
		return servers, nil
	}
}

func closeAll(stores []*txcache.Store) (err error) {
	for _, s := range stores {
		err = errors.Join(err, s.Close())
	}
	return err
}

// A server is a store and its caches.
type server struct {
	*txcache.Store
	caches []*txcache.Cache[string, history.Value]
}

func (s *server) Begin(ctx context.Context, database string, readOnly bool) (history.Tx, error) {
	begin := s.Store.Begin
	if readOnly {
		begin = s.Store.BeginReadOnly
	}
	t, err := begin(ctx, database)
	if err != nil {
		return nil, fmt.Errorf("subject: begin: %w", err)
	}
	return tx{t, s}, nil
}

func (s *server) Drop(ctx context.Context, database string) error {
	return refused(s.Store.Drop(ctx, database))
}

func (s *server) Refresh(cache int, load func(context.Context, string, string) (history.Value, error)) {
	s.caches[cache].RefreshEarly(func(ctx context.Context, tx *txcache.Tx, key string) (history.Value, error) {
		v, err := load(ctx, tx.Database(), key)
		return v, absent(err)
	})
}

func (s *server) Close() error {
	err := s.Store.Close()
	if errors.Is(err, txcache.ErrInDoubt) && !errors.Is(err, txcache.ErrUnavailable) {
		return nil // a commit that nobody knows of came shortly before
	}
	return refused(err)
}

// refused makes of the error of an outage one that histories know.
func refused(err error) error {
	if errors.Is(err, txcache.ErrUnavailable) {
		return fmt.Errorf("%w: %w", history.ErrRefused, err)
	}
	return err
}

// ended makes of the error of a transaction that has ended one that histories
// know.
func ended(err error) error {
	if errors.Is(err, txcache.ErrTxDone) {
		return fmt.Errorf("%w: %w", history.ErrEnded, err)
	}
	return err
}

// absent makes of the error of a loader one that txcache knows.
func absent(err error) error {
	if errors.Is(err, history.ErrAbsent) {
		return fmt.Errorf("%w: %w", txcache.ErrAbsent, err)
	}
	return err
}

// A tx is a handle on a transaction of a server. What it does not say itself
// is as in txcache.Tx.
type tx struct {
	*txcache.Tx
	server *server
}

func (t tx) As(who history.Who) history.Tx {
	h := t.Tx
	if who.User != nil {
		h = h.WithUser(who.User)
	}
	var values map[string]any
	if who.Client != 0 {
		values = map[string]any{history.IgnoredKey: who.Client}
	}
	if who.Lang != "" {
		if values == nil {
			values = map[string]any{}
		}
		values[history.LangKey] = who.Lang
	}
	if values != nil {
		h = h.WithContext(values)
	}
	return tx{h, t.server}
}

func (t tx) Get(ctx context.Context, cache int, key string) (history.Value, bool) {
	return t.server.caches[cache].Get(ctx, t.Tx, key)
}

func (t tx) GetMany(ctx context.Context, cache int, keys []string) map[string]history.Value {
	return t.server.caches[cache].GetMany(ctx, t.Tx, keys)
}

func (t tx) Load(ctx context.Context, cache int, key string, load func(context.Context) (history.Value, error)) (history.Value, error) {
	v, err := t.server.caches[cache].Load(ctx, t.Tx, key, func(ctx context.Context) (history.Value, error) {
		v, err := load(ctx)
		return v, absent(err)
	})
	if errors.Is(err, txcache.ErrAbsent) {
		err = history.ErrAbsent
	}
	return v, ended(err)
}

func (t tx) LoadMany(ctx context.Context, cache int, keys []string, load func(context.Context, []string) (map[string]history.Value, error)) (map[string]history.Value, error) {
	values, err := t.server.caches[cache].LoadMany(ctx, t.Tx, keys, load)
	return values, ended(err)
}

func (t tx) Set(cache int, key string, value history.Value) {
	t.server.caches[cache].Set(t.Tx, key, value)
}

func (t tx) SetAbsent(cache int, key string) { t.server.caches[cache].SetAbsent(t.Tx, key) }

func (t tx) Clear(cache int) error { return t.server.caches[cache].Clear(t.Tx) }

func (t tx) Delete(cache int, keys ...string) error {
	return t.server.caches[cache].Delete(t.Tx, keys...)
}

func (t tx) CommitWith(ctx context.Context, commit func(context.Context) error) error {
	return refused(t.Tx.CommitWith(ctx, func(ctx context.Context) error {
		err := commit(ctx)
		if errors.Is(err, history.ErrNotCommitted) {
			return txcache.NotCommitted(err)
		}
		return err
	}))
}

func (t tx) Savepoint(fn func(history.Tx) error) error {
	return t.Tx.Savepoint(func(h *txcache.Tx) error { return fn(tx{h, t.server}) })
}
