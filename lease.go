package txcache

import (
	"bytes"
	"context"
	"time"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/near"
)

// Processes that load the same values agree on who does by a mark under the
// key of each: the lease of one owner, which ends with its time to live, or when
// the value takes its place. (After Nishtala et al., "Scaling Memcache at
// Facebook", 2013.) As the token is part of the key, a load answers only those
// of its own generation. // P4

// How often it is looked whether what another process loads has come.
const (
	firstLook = 2 * time.Millisecond
	lastLook  = 20 * time.Millisecond
)

// resigned is how long the word stands that each process loads for itself. Those
// that wait look more often.
const resigned = time.Second

// loadLeased loads what nobody in another process is loading, and waits for the
// rest: no longer than the lease, after which it is left in wanted. Without the
// backend nobody waits. // P8
func (b *batch[K, V]) loadLeased(ctx context.Context) error {
	if !b.leases() {
		return nil
	}
	all := b.wanted
	b.wanted = nil
	var leasable []*wish[K, V]
	for _, w := range all {
		if w.flight != nil {
			leasable = append(leasable, w)
		} else {
			b.wanted = append(b.wanted, w)
		}
	}
	owner := string(backend.NewToken())
	mark := b.c.codec.AppendLease(nil, owner)
	others := foreign{behind: b.tx.t.blocked(ctx)}
	defer others.end()
	limit := time.NewTimer(b.c.lease)
	defer limit.Stop()
	for pause := firstLook; len(leasable) > 0; pause = min(2*pause, lastLook) {
		mine, waits, err := b.lease(ctx, leasable, mark)
		if err != nil {
			if ctx.Err() != nil { // some may have been granted
				granted := b.marks(leasable, mark)
				b.c.store.tasks.start(func(ctx context.Context) { b.c.store.swapMarks(ctx, granted, owner) })
			}
			b.wanted = append(b.wanted, leasable...)
			return nil
		}
		waits = b.untangle(ctx, waits, &others)
		if len(b.wanted)+len(mine) > 0 {
			if err := b.loadOwned(ctx, mine, owner, mark); err != nil {
				return err
			}
		}
		if leasable = waits; len(waits) == 0 {
			break
		}
		look := time.NewTimer(pause)
		select {
		case <-look.C:
		case <-limit.C:
			look.Stop()
			b.wanted = leasable
			return nil
		case <-ctx.Done():
			look.Stop()
			return context.Cause(ctx)
		}
	}
	return nil
}

// leases reports whether the batch has to ask for leases.
func (b *batch[K, V]) leases() bool {
	return b.leads && b.c.lease > 0 && b.c.store.swapper != nil
}

// lease asks for the leases of wishes, and returns those that were granted and
// those that others have. What has come meanwhile lands, and what each process
// loads for itself goes to wanted.
func (b *batch[K, V]) lease(ctx context.Context, wishes []*wish[K, V], mark []byte) (mine, others []*wish[K, V], err error) {
	swaps := make([]backend.Swap, len(wishes))
	for i, w := range wishes {
		swaps[i] = backend.Swap{Key: b.c.remoteKey(b.tx.Database(), b.g, w.key), Old: w.replaced, New: mark, TTL: b.c.lease}
	}
	b.until = time.Now().Add(b.c.lease)
	found, err := b.c.store.swapper.Swap(ctx, swaps)
	if err != nil {
		if ctx.Err() == nil {
			b.c.stats.remoteErrors.Add(1)
			b.c.store.quiet.warn(ctx, "remote lease", "database", b.tx.Database(), "cache", b.c.name, "error", err)
		}
		return nil, nil, err
	}
	for i, w := range wishes {
		there := found[i]
		granted := (there == nil) == (w.replaced == nil) && bytes.Equal(there, w.replaced)
		if granted || bytes.Equal(there, mark) { // the latter if the call was delivered twice
			mine = append(mine, w)
			continue
		}
		w.replaced, w.until, w.marked = nil, 0, nil
		if there == nil {
			others = append(others, w)
			continue
		}
		r, leased := b.c.receive(ctx, b.tx.t, b.g, w.key, there)
		if r.found != unknown {
			w.result = r // else what has expired may be of use still
		}
		if r.found.known() {
			b.c.stats.waited.Add(1)
			b.land(w, nil)
			continue
		}
		if leased {
			w.marked = readMark(there)
		}
		switch {
		case leased && len(w.marked) == 0, !leased && w.waited:
			// The owner says that its load is of no use to others, or has put back
			// what was there before.
			b.wanted = append(b.wanted, w)
			continue
		case leased:
			w.waited = true
		default: // it has expired, or is of no use
			w.replaced, w.until = there, r.gone
		}
		others = append(others, w)
	}
	return mine, others, nil
}

// untangle tells other processes for whom the batch is going to wait, moves to
// wanted what it must not wait for, and returns the rest.
func (b *batch[K, V]) untangle(ctx context.Context, wishes []*wish[K, V], others *foreign) (waits []*wish[K, V]) {
	if len(wishes) == 0 {
		return nil
	}
	own := others.own()
	var owners []string
	for _, w := range wishes {
		if own.waitedForBy(w.marked) {
			b.wanted = append(b.wanted, w)
			continue
		}
		waits, owners = append(waits, w), append(owners, w.marked...)
	}
	if len(waits) > 0 {
		others.announce(ctx, own, owners)
	}
	return waits
}

// marks returns the places of wishes that have mark.
func (b *batch[K, V]) marks(wishes []*wish[K, V], mark []byte) []backend.Swap {
	swaps := make([]backend.Swap, len(wishes))
	for i, w := range wishes {
		swaps[i] = backend.Swap{Key: b.c.remoteKey(b.tx.Database(), b.g, w.key), Old: mark}
	}
	return swaps
}

// loadOwned calls the loader for what is wanted and for wishes whose leases the
// batch has, and gives those back: what was loaded takes their place.
func (b *batch[K, V]) loadOwned(ctx context.Context, mine []*wish[K, V], owner string, mark []byte) error {
	b.wanted = append(b.wanted, mine...)
	b.answered = false
	if len(mine) == 0 {
		return b.loadWanted(ctx)
	}
	b.c.stats.leased.Add(uint64(len(mine)))
	l := &leases{store: b.c.store, owner: owner, until: b.until, marks: b.marks(mine, mark), encode: b.c.codec.AppendLease}
	waiting.hold(b.tx.t, l)
	defer func() { // also if the loader panics
		waiting.let(b.tx.t, l)
		b.release(ctx, mine, owner, mark)
	}()
	if err := b.loadWanted(ctx); err != nil {
		return err
	}
	mine = b.send(ctx, mine)
	return nil
}

// release gives leases back. Those that have ended, and are others' by now, are
// left alone. If what came of the load may be so for all, others are told to load
// for themselves instead of one after another.
func (b *batch[K, V]) release(ctx context.Context, mine []*wish[K, V], owner string, mark []byte) {
	if len(mine) == 0 {
		return
	}
	swaps := b.marks(mine, mark)
	word := b.c.codec.AppendLease(nil, "")
	bytes := 0
	for i, w := range mine {
		left := b.c.staleFor
		if w.until != 0 { // it must not last longer for having been put back
			left = min(left, time.Duration(w.until-near.Now()))
		}
		switch s := &swaps[i]; {
		case w.replaced != nil && left >= time.Millisecond && w.found != absent:
			s.New, s.TTL = w.replaced, left
		case b.answered:
			s.New, s.TTL = word, min(b.c.lease, resigned)
		}
		bytes += len(swaps[i].New)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patienceWith(len(mine), bytes))
	defer cancel()
	if err := b.c.store.swapMarks(ctx, swaps, owner); err != nil {
		b.c.stats.remoteErrors.Add(1) // they end by themselves
	}
}

// send gives what was loaded to the backend at once, for others are waiting, and
// returns what is not there.
func (b *batch[K, V]) send(ctx context.Context, mine []*wish[K, V]) (unsent []*wish[K, V]) {
	c, t := b.c, b.tx.t
	if t.shared(&c.core) == nil { // nobody asks for them any more
		return mine
	}
	values := make([]backend.Value, 0, len(mine))
	bytes := 0
	for _, w := range mine {
		e, ok := c.entryOf(t, w.key)
		left := time.Duration(0)
		if ok && e.expires != 0 {
			left = time.Duration(e.expires - near.Now())
			ok = left >= time.Millisecond
		}
		var v backend.Value
		if ok {
			v, ok = c.encode(t.db.name, b.g, w.key, e, left)
		}
		if ok {
			values = append(values, v)
			bytes += len(v.Data)
		} else {
			unsent = append(unsent, w)
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patienceWith(len(values), bytes))
	defer cancel()
	if !c.store.setRemote(ctx, t.db.name, values) {
		c.stats.remoteErrors.Add(1)
		return mine
	}
	return unsent
}

// patienceWith is for how long a backend may be busy with n values of so many
// bytes: with many it takes longer, and is not away.
func patienceWith(n, bytes int) time.Duration {
	return patience + time.Duration(n)*100*time.Microsecond + time.Duration(bytes)*time.Microsecond
}

// entryOf returns what the transaction has set under key, and marks it as known
// to the backend; nothing while a savepoint, which may be undone, is open.
func (c *Cache[K, V]) entryOf(t *transaction, key entryKey[K]) (e entry[V], ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.done || t.work == nil || t.work.savepoints > 0 || t.work.caches[&c.core] == nil {
		return e, false
	}
	o, _ := t.work.caches[&c.core].overlay.(*overlayOf[K, V])
	if o == nil {
		return e, false
	}
	if e, ok = o.values[key]; ok {
		marked := e
		marked.remote = true
		o.values[key] = marked
	}
	return e, ok
}
