package baseline

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"

	"github.com/seed-dad15c92/txcache/internal/history"
)

// A tx is a handle on a transaction.
type tx struct {
	*transaction
	who history.Who
}

type transaction struct {
	*server
	database string
	readOnly bool
	began    int      // by the server's clock
	counters []int    // of the caches, when it began
	epoch    int      // of the database, when it began
	fences   []*fence // that stood when it began
	fence    *fence   // its own; nil: it has not cleared, or not begun to commit
	enlisted *enlisted

	private  sync.Mutex // before the server's
	ended    bool
	own      overlay
	cuts     cuts
	cutCount map[int]int      // by cache: how often it was cut off, or a savepoint undone
	versions map[slot]version // of keys, as they were read last
}

func (t *transaction) cacheKey(cache int) cacheKey { return cacheKey{t.database, t.caches[cache].Name} }

// An overlay is what a transaction keeps to itself.
type overlay map[any]entry

func (t *tx) As(w history.Who) history.Tx { return &tx{t.transaction, w} }

func (t *tx) key(cache int, key string) any {
	c, who := t.caches[cache], t.who
	who.Client = 0 // makes no difference
	if c.ContextFree {
		who = history.Who{}
	}
	return t.scheme.Key(t.database, c.Name, key, who)
}

// A version is the counters in a key: of the cache and of the key itself.
type version struct{ cache, key int }

// versioned is a key with counters in it.
type versioned struct {
	version
	key any
}

// shared returns the key under which others find what is under at, with the counters as
// they were read last, or are now if they were not read, or if afresh says so.
func (t *tx) shared(at any, in slot, afresh bool) any {
	switch {
	case t.enlisted != nil:
		return t.generation(at, in.cache, !afresh)
	case t.scheme.Counted:
		return versioned{version{cache: t.counters[in.cache]}, at}
	case t.scheme.KeyCounted:
		v, ok := t.versions[in]
		if !ok || afresh {
			v = t.version(t.cacheKey(in.cache), in.key)
			t.versions[in] = v
		}
		return versioned{v, at}
	}
	return at
}

func (t *tx) entry(cache int, key string, value history.Value, absent bool) entry {
	return entry{cacheKey: t.cacheKey(cache), slot: slot{cache, key}, value: value, absent: absent}
}

func (t *tx) Get(_ context.Context, cache int, key string) (history.Value, bool) {
	at, in := t.key(cache, key), slot{cache, key}
	t.private.Lock()
	defer t.private.Unlock()
	if t.ended && !t.scheme.Endless {
		return history.Value{}, false
	}
	if (t.scheme.Numbered || t.scheme.Enlisted) && t.detached() {
		return history.Value{}, false
	}
	if e, ok := t.own[at]; ok {
		return e.value, !e.absent
	}
	if t.cuts.hides(in) && !t.scheme.Through {
		return history.Value{}, false
	}
	v, ok := t.get(t.transaction, t.cacheKey(cache), t.shared(at, in, true))
	if ok && !t.scheme.Through && t.cuts.covers(in, t.tags(cache, v)) {
		return history.Value{}, false
	}
	return v, ok
}

func (t *tx) GetMany(ctx context.Context, cache int, keys []string) map[string]history.Value {
	found := map[string]history.Value{}
	for _, key := range keys {
		if v, ok := t.Get(ctx, cache, key); ok {
			found[key] = v
		}
	}
	return found
}

func (t *tx) Load(ctx context.Context, cache int, key string, load func(context.Context) (history.Value, error)) (history.Value, error) {
	if v, ok := t.Get(ctx, cache, key); ok {
		return v, nil
	}
	cuts := t.cut(cache)
	v, err := load(ctx)
	if absent := errors.Is(err, history.ErrAbsent); err == nil || absent {
		t.keep(cache, cuts, map[string]entry{key: t.entry(cache, key, v, absent)})
	}
	return v, err
}

// SetAbsent keeps the values of others from the transaction. Nobody else
// remembers what is absent.
func (t *tx) SetAbsent(cache int, key string) {
	t.private.Lock()
	defer t.private.Unlock()
	t.put(cache, key, t.entry(cache, key, history.Value{}, true))
}

func (t *tx) LoadMany(ctx context.Context, cache int, keys []string, load func(context.Context, []string) (map[string]history.Value, error)) (map[string]history.Value, error) {
	found := t.GetMany(ctx, cache, keys)
	var missing []string
	for _, key := range keys {
		if _, ok := found[key]; !ok && !slices.Contains(missing, key) {
			missing = append(missing, key)
		}
	}
	if len(missing) == 0 {
		return found, nil
	}
	cuts := t.cut(cache)
	loaded, err := load(ctx, missing)
	if err != nil {
		return nil, err
	}
	maps.Copy(found, loaded)
	entries := map[string]entry{}
	for _, key := range missing {
		v, ok := loaded[key]
		entries[key] = t.entry(cache, key, v, !ok)
	}
	t.keep(cache, cuts, entries)
	return found, nil
}

// keep sets what was loaded since there had been so many cuts.
func (t *tx) keep(cache, cuts int, loaded map[string]entry) {
	t.private.Lock()
	defer t.private.Unlock()
	if t.cutCount[cache] != cuts && !t.scheme.Belated {
		return
	}
	for key, e := range loaded {
		t.put(cache, key, e)
	}
}

func (t *tx) Set(cache int, key string, value history.Value) {
	t.private.Lock()
	defer t.private.Unlock()
	t.put(cache, key, t.entry(cache, key, value, false))
}

// put is Set, with t.private held.
func (t *tx) put(cache int, key string, e entry) {
	switch at := t.key(cache, key); {
	case t.ended:
	case t.readOnly, t.scheme.Through, !t.cuts.covers(e.slot, t.tags(cache, e.value)) && !t.scheme.Deferred:
		t.set(t.transaction, overlay{t.shared(at, e.slot, false): e})
	default:
		e.at = t.shared(at, e.slot, false)
		t.own[at] = e
	}
}

func (t *tx) Savepoint(fn func(history.Tx) error) (err error) {
	t.private.Lock()
	own, cuts := maps.Clone(t.own), t.cuts.clone()
	t.private.Unlock()
	kept := false
	defer func() {
		t.private.Lock()
		defer t.private.Unlock()
		if !kept && t.scheme.Unwinding {
			t.own, t.cuts = own, cuts
			for cache := range t.caches {
				t.cutCount[cache]++
			}
		}
	}()
	err = fn(t)
	kept = err == nil
	return err
}

func (t *tx) CommitWith(ctx context.Context, commit func(context.Context) error) error {
	t.end()
	if t.enlisted != nil {
		return t.commitEnlisted(ctx, commit)
	}
	t.do((*server).announce)
	if t.scheme.Early {
		t.do((*server).invalidateAll)
		if err := commit(ctx); err != nil {
			return err
		}
		if t.scheme.Twice {
			t.do(func(s *server, t *transaction) { s.late = append(s.late, late{s.clock + delay, t}) })
		}
	} else {
		err := func() error {
			defer t.do((*server).invalidateAll) // the outcome may be unknown
			return commit(ctx)
		}()
		if err != nil {
			return err
		}
	}
	t.private.Lock()
	defer t.private.Unlock()
	t.forget(func(e entry) bool { return !t.scheme.Numbered && t.cuts.covers(e.slot, t.tags(e.slot.cache, e.value)) })
	own := overlay{}
	for _, e := range t.own {
		own[e.at] = e
	}
	t.set(t.transaction, own)
	return nil
}

// do does something with what the transaction has cut off.
func (t *transaction) do(what func(*server, *transaction)) {
	t.private.Lock()
	defer t.private.Unlock()
	t.mu.Lock()
	defer t.mu.Unlock()
	what(t.server, t)
}

func (t *tx) Rollback() error {
	t.end()
	return nil
}

func (t *transaction) end() {
	t.private.Lock()
	defer t.private.Unlock()
	t.ended = true
}
