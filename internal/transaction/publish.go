package transaction

import (
	"cmp"
	"context"
	"slices"

	"github.com/seed-dad15c92/txcache/backend"
)

// Fence returns the fence for the caches that the transaction has cleared, or nil if
// there is none. The transaction must have ended.
func (t *Transaction) Fence() *backend.Fence {
	w := t.work
	if w == nil {
		return nil
	}
	t.clearLater()
	t.coarsen()
	var caches []backend.Generation
	var keys []backend.Keys
	if len(w.tags) > 0 && !w.cleared {
		keys = append(keys, backend.Keys{Hashes: w.tags.hashes()})
	}
	for c, l := range w.caches {
		if len(l.deleted) > 0 && !l.cleared && !w.cleared {
			keys = append(keys, backend.Keys{Cache: c.Name, Hashes: l.deleted.hashes()})
		}
		// With All, a cache is named only if it may become warm.
		if l.cleared || w.cleared && c.Warm && l.overlay != nil {
			caches = append(caches, t.Token(c.Name))
		}
	}
	if !w.cleared && len(caches)+len(keys) == 0 {
		return nil
	}
	slices.SortFunc(caches, func(a, b backend.Generation) int { return cmp.Compare(a.Cache, b.Cache) })
	slices.SortFunc(keys, func(a, b backend.Keys) int { return cmp.Compare(a.Cache, b.Cache) })
	return &backend.Fence{ID: backend.NewToken(), Caches: caches, Keys: keys, All: w.cleared, Lease: t.Store.Fence}
}

// maxKeys is how many keys of a cache, or tags, a commit deletes one by one. It is a
// part of those that are remembered, so that a commit does not make all others
// forgotten.
const maxKeys = backend.MaxDeletes / 4

// coarsen turns deletes into clears of their caches, and tags into a clear of all,
// where there are too many, or the backend cannot delete.
func (t *Transaction) coarsen() {
	w := t.work
	most := t.MaxKeys()
	if len(w.tags) > most {
		w.cleared = true
	}
	for _, l := range w.caches {
		if len(l.deleted) > most {
			l.cleared = true
		}
	}
}

// MaxKeys returns how many keys of a cache the transaction may delete one by one: none
// where the backend cannot delete.
func (t *Transaction) MaxKeys() int {
	if !t.Store.Databases.Numbers() || t.view.State != nil && t.view.State.Number == 0 && !t.view.Unordered {
		return 0
	}
	return maxKeys
}

// Token returns the generation that the cache of that name had when the transaction
// began; its token is "" if the transaction does not know it.
func (t *Transaction) Token(cache string) backend.Generation {
	g := backend.Generation{Cache: cache}
	if t.view.State != nil {
		g.Token = t.view.State.Token(cache)
	}
	return g
}

// Publish gives to other transactions what this one has set: after its commit, and if
// it is read-only after any end. warm is the token of the generations that its own
// clear has started, "" if there was none that the backend has accepted. The transaction
// must have ended.
func (t *Transaction) Publish(ctx context.Context, warm backend.Token) {
	t.publish(ctx, func(c *Core, p *publication) any {
		l, w := p.local, p.work
		newest := t.newest() // before the marks that publish asks for: they are of this view or of a newer one
		g := t.shared(c)
		if l.cleared || w.cleared {
			// P4: the values are the newest only if nobody else has cleared
			// since the transaction began.
			if g, _ = t.db.Contents(newest, &c.Cache); g == nil || !c.Warm || warm == "" || newest.Token(&c.Cache) != warm {
				return nil
			}
		}
		if g != nil {
			p.announced, p.fill = warm != "", newest.State.Number
		}
		return g
	})
}

// PublishRecorded is Publish after a commit of the database in which the transaction is
// enlisted, whose record of f has given those generations to the caches that it clears.
// Nobody has to look at what others have cleared or deleted meanwhile: a state that shows
// more than the transaction's own and this record has other tokens, and other sums.
func (t *Transaction) PublishRecorded(ctx context.Context, f *backend.Fence, recorded []backend.Generation) {
	t.publish(ctx, func(c *Core, p *publication) any {
		p.recorded = f.ID.Number()
		if !p.local.cleared && !p.work.cleared {
			return t.shared(c)
		}
		i := slices.IndexFunc(recorded, func(g backend.Generation) bool { return g.Cache == c.Name })
		if i < 0 || !c.Warm {
			return nil
		}
		return t.db.Recorded(t.view, &c.Cache, recorded[i].Token)
	})
}

// publish gives to others what the transaction has set in each cache: in the generation
// that to returns, nil for none.
func (t *Transaction) publish(ctx context.Context, to func(c *Core, p *publication) any) {
	w := t.work
	if w == nil {
		return
	}
	out := t.newOutbox(ctx)
	defer out.close()
	for c, l := range w.caches {
		if l.overlay == nil {
			continue
		}
		p := publication{t: t, work: w, local: l, out: out}
		g := to(c, &p)
		if g == nil {
			continue
		}
		if published := c.types.publish(p, g); !t.ReadOnly {
			c.Counts.Published.Add(uint64(published))
		}
	}
}

// A publication is the values of one cache that a transaction gives to others.
type publication struct {
	t     *Transaction
	work  *work
	local *local
	out   *outbox

	announced bool // the backend has accepted the transaction's own deletes

	fill     uint64 // the number of the state for which it is known that nobody else has changed them
	recorded uint64 // where states have no order, the number of the transaction's own record; 0: none
}

// Flush gives to other transactions what a read-only transaction has set so far, once
// that is enough for a piece of an outbox. So the memory of a transaction does not
// grow with what it reads.
func (t *Transaction) Flush(ctx context.Context) {
	if !t.ReadOnly || !t.Sends() {
		return
	}
	ready := t.take()
	if len(ready) == 0 {
		return
	}
	out := t.newOutbox(ctx)
	defer out.close()
	for _, r := range ready {
		p := publication{t: t, work: &work{}, local: &local{overlay: r.overlay}, out: out, fill: t.Number()}
		r.cache.types.publish(p, r.generation)
	}
}

// A readied is an overlay that was taken from its transaction, with the generation for
// its values.
type readied struct {
	cache      *Core
	overlay    any
	generation any
}

// take takes from the transaction the values that Flush gives to others. The
// transaction finds them afterwards where others do. Values of an open savepoint stay,
// and so do those of a private cache.
func (t *Transaction) take() (ready []readied) {
	t.mu.Lock()
	defer t.mu.Unlock()
	w := t.work
	if t.done || w == nil || w.unsent < pieceValues || w.savepoints > 0 {
		return nil
	}
	w.unsent = 0
	for c, l := range w.caches {
		if l.overlay == nil || l.afresh {
			continue
		}
		if g := t.shared(c); g != nil {
			ready = append(ready, readied{c, l.overlay, g})
			l.overlay = nil
		}
	}
	return ready
}
