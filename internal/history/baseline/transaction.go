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
	began    int   // by the server's clock
	counters []int // of the caches, when it began

	private sync.Mutex // before the server's
	ended   bool
	own     overlay
	cleared map[int]bool
	cuts    map[int]int // by cache: how often it was cleared, or a savepoint undone
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
	at := t.scheme.Key(t.database, c.Name, key, who)
	if t.scheme.Counted {
		return versioned{t.counters[cache], at}
	}
	return at
}

// versioned is a key with a counter in it.
type versioned struct {
	counter int
	key     any
}

func (t *tx) Get(_ context.Context, cache int, key string) (history.Value, bool) {
	at := t.key(cache, key)
	t.private.Lock()
	defer t.private.Unlock()
	if t.ended && !t.scheme.Endless {
		return history.Value{}, false
	}
	if e, ok := t.own[at]; ok {
		return e.value, !e.absent
	}
	if t.cleared[cache] && !t.scheme.Through {
		return history.Value{}, false
	}
	return t.get(t.cacheKey(cache), t.began, at)
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
		t.keep(cache, cuts, map[string]entry{key: {t.cacheKey(cache), v, absent}})
	}
	return v, err
}

// SetAbsent keeps the values of others from the transaction. Nobody else
// remembers what is absent.
func (t *tx) SetAbsent(cache int, key string) {
	t.private.Lock()
	defer t.private.Unlock()
	t.put(cache, key, entry{t.cacheKey(cache), history.Value{}, true})
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
		entries[key] = entry{t.cacheKey(cache), v, !ok}
	}
	t.keep(cache, cuts, entries)
	return found, nil
}

// cut returns how often the transaction has cut the cache off from what came
// before.
func (t *tx) cut(cache int) int {
	t.private.Lock()
	defer t.private.Unlock()
	return t.cuts[cache]
}

// keep sets what was loaded since there had been so many cuts.
func (t *tx) keep(cache, cuts int, loaded map[string]entry) {
	t.private.Lock()
	defer t.private.Unlock()
	if t.cuts[cache] != cuts && !t.scheme.Belated {
		return
	}
	for key, e := range loaded {
		t.put(cache, key, e)
	}
}

func (t *tx) Set(cache int, key string, value history.Value) {
	t.private.Lock()
	defer t.private.Unlock()
	t.put(cache, key, entry{t.cacheKey(cache), value, false})
}

// put is Set, with t.private held.
func (t *tx) put(cache int, key string, e entry) {
	switch at := t.key(cache, key); {
	case t.ended:
	case t.readOnly, t.scheme.Through, !t.cleared[cache] && !t.scheme.Deferred:
		t.set(overlay{at: e}, t.began)
	default:
		t.own[at] = e
	}
}

func (t *tx) Clear(cache int) error {
	t.private.Lock()
	defer t.private.Unlock()
	t.cleared[cache] = true
	t.cuts[cache]++
	maps.DeleteFunc(t.own, func(_ any, e entry) bool { return e.cache == t.caches[cache].Name })
	return nil
}

func (t *tx) ClearAll() error {
	for cache := range t.caches {
		t.Clear(cache)
	}
	return nil
}

func (t *tx) Savepoint(fn func(history.Tx) error) (err error) {
	t.private.Lock()
	own, cleared := maps.Clone(t.own), maps.Clone(t.cleared)
	t.private.Unlock()
	kept := false
	defer func() {
		t.private.Lock()
		defer t.private.Unlock()
		if !kept && t.scheme.Unwinding {
			t.own, t.cleared = own, cleared
			for cache := range t.caches {
				t.cuts[cache]++
			}
		}
	}()
	err = fn(t)
	kept = err == nil
	return err
}

func (t *tx) CommitWith(ctx context.Context, commit func(context.Context) error) error {
	t.end()
	t.each((*server).note) // of which only some schemes make use
	if t.scheme.Early {
		t.each((*server).invalidate)
		if err := commit(ctx); err != nil {
			return err
		}
	} else {
		err := func() error {
			defer t.each((*server).invalidate) // the outcome may be unknown
			return commit(ctx)
		}()
		if err != nil {
			return err
		}
	}
	t.private.Lock()
	defer t.private.Unlock()
	for cache := range t.cleared {
		maps.DeleteFunc(t.own, func(_ any, e entry) bool { return e.cache == t.caches[cache].Name })
	}
	t.set(t.own, t.began)
	return nil
}

// each does something with every cache that the transaction has cleared.
func (t *transaction) each(do func(*server, cacheKey)) {
	t.private.Lock()
	defer t.private.Unlock()
	t.mu.Lock()
	defer t.mu.Unlock()
	for cache := range t.cleared {
		do(t.server, t.cacheKey(cache))
	}
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
