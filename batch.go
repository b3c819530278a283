package txcache

import (
	"context"
	"time"
)

// A batch is keys that one transaction brings into the cache, for itself and
// for all who wait for the flights that it leads.
type batch[K comparable, V any] struct {
	c      *Cache[K, V]
	tx     *Tx
	g      *generationOf[K, V] // nil: the cache is private
	asked  []*wish[K, V]       // that the backend may have
	wanted []*wish[K, V]       // that the loader is called for
	load   loader[K, V]
	leads  bool

	answered bool      // what the loader said may be so for all
	until    time.Time // when leases end that are taken now
}

// board looks for wishes within the process, takes into the batch what is to be
// brought, and returns what others are loading already.
func (b *batch[K, V]) board(ctx context.Context, wishes []*wish[K, V]) (others []*wish[K, V]) {
	c, t := b.c, b.tx.t
	may := t.readOnly && !t.inSavepoint() // nothing leaves a savepoint
	for _, w := range wishes {
		var g *generationOf[K, V]
		if w.cacheable {
			w.result, g = c.lookup(t, w.key)
		}
		switch {
		case w.found.known():
			c.stats.count(w.found)
			c.refreshHit(b.tx, g, w.key, w.result)
			w.hit = true
			continue
		case g == nil:
			c.stats.bypass()
			b.wanted = append(b.wanted, w)
			continue
		}
		b.g = g
		f, lead := g.join(w.key, t, may)
		switch {
		case lead:
			w.flight, b.leads = f, true
			// Another flight may have landed since it was looked for.
			if w.result = g.find(t, w.key); w.found.known() {
				c.stats.count(w.found)
				w.hit = true
				b.land(w, nil)
				continue
			}
		case f == nil || f.leader == t || w.alone:
		default:
			w.flight = f
			others = append(others, w)
			continue
		}
		b.asked = append(b.asked, w)
	}
	return others
}

// land ends the flight that the batch leads for w, if it does.
func (b *batch[K, V]) land(w *wish[K, V], err error) {
	if f := w.flight; f != nil {
		f.result, f.err, f.abandoned = w.result, err, false
		b.abandon(w)
	}
}

// doubt ends the flight that the batch leads for w, if it does, as err may be of
// its own circumstances.
func (b *batch[K, V]) doubt(w *wish[K, V], err error) {
	if w.flight != nil {
		w.flight.err = err
		b.abandon(w)
	}
}

func (b *batch[K, V]) abandon(w *wish[K, V]) {
	if f := w.flight; f != nil {
		w.flight = nil
		b.g.land(w.key, f)
	}
}

// bring asks the backend for what is asked, and calls the loader for the rest.
func (b *batch[K, V]) bring(ctx context.Context) error {
	flights := b.asked
	defer func() { // also if the loader panics
		for _, w := range flights {
			b.abandon(w)
		}
	}()
	b.fetch(ctx)
	if err := b.loadLeased(ctx); err != nil {
		return err
	}
	return b.loadWanted(ctx)
}

// fetch asks the backend, and moves what it does not have from asked to wanted.
func (b *batch[K, V]) fetch(ctx context.Context) {
	if len(b.asked) == 0 {
		return
	}
	keys := make([]entryKey[K], len(b.asked))
	for i, w := range b.asked {
		keys[i] = w.key
	}
	for i, r := range b.c.ask(ctx, b.tx.t, b.g, keys) {
		w := b.asked[i]
		w.result = r
		if r.found.known() {
			w.hit = true
			b.land(w, nil)
		} else {
			b.wanted = append(b.wanted, w)
		}
	}
	b.asked = nil
}

// loadWanted calls the loader.
func (b *batch[K, V]) loadWanted(ctx context.Context) error {
	wanted := b.wanted
	b.wanted = nil
	if len(wanted) == 0 {
		return nil
	}
	keys := make([]K, len(wanted))
	for i, w := range wanted {
		keys[i] = w.key.key
	}
	began := time.Now()
	results, cuts, err := b.c.call(ctx, b.tx.t, keys, b.load)
	if err == nil {
		b.answered = true
		for i, w := range wanted {
			w.result = results[i]
			b.c.keep(b.tx, w.key.key, w.result, cuts)
			b.land(w, nil)
		}
		return nil
	}
	cut := b.tx.t.cutShort(ctx, began)
	b.answered = !cut && !ownError(err)
	failure := err
	if b.fallBack(ctx, wanted) {
		err = nil
	}
	for _, w := range wanted {
		switch {
		case b.answered:
			b.land(w, err)
		case !cut:
			b.doubt(w, failure)
		}
	}
	return err
}

// fallBack takes values that have expired for those that could not be loaded, if
// there are such for all of wishes; see CacheOptions.StaleFor.
func (b *batch[K, V]) fallBack(ctx context.Context, wishes []*wish[K, V]) bool {
	c := b.c
	if c.staleFor == 0 || ctx.Err() != nil {
		return false
	}
	for _, w := range wishes {
		if !w.cacheable {
			return false
		}
		// It may have been cleared meanwhile, by the loader itself too.
		if _, g := c.lookup(b.tx.t, w.key); g == nil || g != b.g {
			return false
		}
		if v, ok := b.g.expired(w.key, c.staleFor); ok {
			w.result = result[V]{value: v, found: expired}
		}
		if w.found != expired {
			return false
		}
	}
	c.stats.expiredHits.Add(uint64(len(wishes)))
	c.store.quiet.warn(ctx, "expired value instead of an error", "database", b.tx.Database(), "cache", c.name)
	return true
}
