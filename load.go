package txcache

import (
	"context"
	"sync"
)

// Load returns the value under key, and if there is none, the one that load
// returns, after having set it. An error of load is returned as it is, and
// nothing is set; so is ErrTxDone, without calling load.
//
// Callers that miss the same key of the same generation at the same time share
// one call of load: that of a read-only transaction, which can have seen
// nothing that others may not. It runs in the goroutine of its caller, with its
// context; others wait for it no longer than their own. If that context is
// done, its transaction ended or load panics, the next one who waits calls its
// own; an error of load is shared. A read-write transaction shares in the value
// of others, but what it loads itself is its own until it commits.
//
// load may call Load, with the context that it gets, for other caches and keys.
// It must not wait for a lock that a read-write transaction holds which may load
// the same key: that one may be waiting for it.
func (c *Cache[K, V]) Load(ctx context.Context, tx *Tx, key K, load func(context.Context) (V, error)) (_ V, err error) {
	v, hit := c.near(tx, key)
	if !hit {
		if v, hit, err = c.obtain(ctx, tx, key, load); err != nil {
			return v, err
		}
	}
	if hit && c.verify > 0 {
		v = c.verified(ctx, tx, key, v, load)
	}
	return v, nil
}

// obtain is Load in full, and reports whether the value is a hit.
func (c *Cache[K, V]) obtain(ctx context.Context, tx *Tx, key K, load func(context.Context) (V, error)) (v V, hit bool, err error) {
	if err := c.usable(tx); err != nil {
		return v, false, err
	}
	t := tx.t
	k, cacheable := c.entryKey(tx, key)
	for {
		if t.ended() {
			return v, false, ErrTxDone
		}
		var g *generationOf[K, V]
		if cacheable {
			v, hit, g = c.lookup(t, k)
		}
		switch {
		case hit:
			c.stats.hit()
			return v, true, nil
		case g == nil:
			c.stats.bypass()
			v, err = c.load(ctx, tx, key, load)
			return v, false, err
		}
		f, lead := g.join(k, t)
		switch {
		case lead:
			return c.lead(ctx, tx, k, g, f, load)
		case f == nil || f.leader == t || leads(ctx):
			// Whoever leads must not wait: two that did could wait for each other,
			// one for itself.
			if v, hit = c.ask(ctx, t, g, k); !hit {
				v, err = c.load(ctx, tx, key, load)
			}
			return v, hit, err
		}
		select {
		case <-f.done:
		case <-ctx.Done():
			c.stats.miss()
			return v, false, context.Cause(ctx)
		}
		if !f.abandoned {
			c.stats.miss()
			c.stats.shared.Add(1)
			return f.value, false, f.err
		}
	}
}

// load calls load and sets what it returns.
func (c *Cache[K, V]) load(ctx context.Context, tx *Tx, key K, load func(context.Context) (V, error)) (V, error) {
	c.stats.loads.Add(1)
	v, err := load(ctx)
	if err != nil {
		c.stats.loadErrors.Add(1)
		return v, err
	}
	c.Set(tx, key, v)
	return v, nil
}

// lead asks the backend, and then loads, for all who joined f.
func (c *Cache[K, V]) lead(ctx context.Context, tx *Tx, key entryKey[K], g *generationOf[K, V], f *flight[V], load func(context.Context) (V, error)) (v V, hit bool, err error) {
	f.abandoned = true
	defer g.land(key, f) // also if load panics
	v, hit = g.get(key)  // another flight may have landed since it was looked for
	if hit {
		c.stats.hit()
	} else if v, hit = c.ask(ctx, tx.t, g, key); !hit {
		v, err = c.load(context.WithValue(ctx, leading{}, true), tx, key.key, load)
	}
	if err == nil || ctx.Err() == nil && !tx.t.ended() {
		f.value, f.err, f.abandoned = v, err, false
	}
	return v, hit, err
}

// leading marks the context of a loader for which others may wait.
type leading struct{}

func leads(ctx context.Context) bool { return ctx.Value(leading{}) != nil }

// flights are the loads in progress for one generation. That they belong to a
// generation is what keeps a transaction from getting the value of an older
// one. // P4
type flights[K comparable, V any] struct {
	mu    sync.Mutex
	byKey map[entryKey[K]]*flight[V]
}

// A flight is one load in progress. The value, the error and whether it was
// abandoned may be read once done is closed.
type flight[V any] struct {
	leader    *transaction
	done      chan struct{}
	value     V
	err       error
	abandoned bool // the leader went away: value and err say nothing
}

// join returns the flight for key. If there is none, t gets a new one to lead,
// unless it may have uncommitted changes: then it gets nil.
func (s *flights[K, V]) join(key entryKey[K], t *transaction) (f *flight[V], lead bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.byKey[key]; f != nil || !t.readOnly {
		return f, false
	}
	if s.byKey == nil {
		s.byKey = map[entryKey[K]]*flight[V]{}
	}
	f = &flight[V]{leader: t, done: make(chan struct{})}
	s.byKey[key] = f
	return f, true
}

// land ends f, which its leader has led.
func (s *flights[K, V]) land(key entryKey[K], f *flight[V]) {
	s.mu.Lock()
	delete(s.byKey, key)
	s.mu.Unlock()
	close(f.done)
}
