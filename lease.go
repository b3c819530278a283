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
	owner := b.c.codec.AppendLease(nil, string(backend.NewToken()))
	limit := time.NewTimer(b.c.lease)
	defer limit.Stop()
	for pause := firstLook; len(leasable) > 0; pause = min(2*pause, lastLook) {
		mine, others, err := b.lease(ctx, leasable, owner)
		if err != nil {
			b.wanted = append(b.wanted, leasable...)
			return nil
		}
		if len(b.wanted)+len(mine) > 0 {
			if err := b.loadOwned(ctx, mine, owner); err != nil {
				return err
			}
		}
		if leasable = others; len(others) == 0 {
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
	if !b.leads || b.c.lease <= 0 || b.c.store.swapper == nil {
		return false
	}
	t := b.tx.t
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.work == nil || t.work.savepoints == 0 // nothing leaves a savepoint
}

// lease asks for the leases of wishes, and returns those that were granted and
// those that others have. What has come meanwhile lands.
func (b *batch[K, V]) lease(ctx context.Context, wishes []*wish[K, V], owner []byte) (mine, others []*wish[K, V], err error) {
	swaps := make([]backend.Swap, len(wishes))
	for i, w := range wishes {
		swaps[i] = backend.Swap{Key: b.c.remoteKey(b.tx.Database(), b.g, w.key), Old: w.replaced, New: owner, TTL: b.c.lease}
	}
	found, err := b.c.store.swapper.Swap(ctx, swaps)
	if err != nil {
		b.c.stats.remoteErrors.Add(1)
		b.c.store.quiet.warn(ctx, "remote lease", "database", b.tx.Database(), "cache", b.c.name, "error", err)
		return nil, nil, err
	}
	for i, w := range wishes {
		there := found[i]
		granted := (there == nil) == (w.replaced == nil) && bytes.Equal(there, w.replaced)
		if granted || bytes.Equal(there, owner) { // the latter if the call was delivered twice
			mine = append(mine, w)
			continue
		}
		w.replaced = nil
		if there != nil {
			r, leased := b.c.receive(ctx, b.tx.t, b.g, w.key, there)
			if r.found != unknown {
				w.result = r // else what has expired may be of use still
			}
			if r.found.known() {
				b.c.stats.waited.Add(1)
				b.land(w, nil)
				continue
			}
			if !leased { // it has expired, or is of no use
				w.replaced = there
			}
		}
		others = append(others, w)
	}
	return mine, others, nil
}

// loadOwned calls the loader for what is wanted and for wishes whose leases the
// batch has, and gives those back: what was loaded takes their place.
func (b *batch[K, V]) loadOwned(ctx context.Context, mine []*wish[K, V], owner []byte) error {
	b.wanted = append(b.wanted, mine...)
	b.c.stats.leased.Add(uint64(len(mine)))
	sent := false
	defer func() { // also if the loader panics
		if !sent {
			b.release(ctx, mine, owner)
		}
	}()
	if err := b.loadWanted(ctx); err != nil {
		return err
	}
	sent = b.send(ctx, mine)
	return nil
}

// release gives leases back. Those that have ended, and are others' by now, are
// left alone.
func (b *batch[K, V]) release(ctx context.Context, mine []*wish[K, V], owner []byte) {
	swaps := make([]backend.Swap, len(mine))
	bytes := 0
	for i, w := range mine {
		swaps[i] = backend.Swap{Key: b.c.remoteKey(b.tx.Database(), b.g, w.key), Old: owner, New: w.replaced, TTL: b.c.staleFor}
		bytes += len(w.replaced)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patienceWith(len(mine), bytes))
	defer cancel()
	if _, err := b.c.store.swapper.Swap(ctx, swaps); err != nil {
		b.c.stats.remoteErrors.Add(1) // they end by themselves
	}
}

// send gives what was loaded to the backend at once, for others are waiting, and
// reports whether all of it is there.
func (b *batch[K, V]) send(ctx context.Context, mine []*wish[K, V]) bool {
	c, t := b.c, b.tx.t
	if t.shared(&c.core) == nil { // nobody asks for them any more
		return false
	}
	values := make([]backend.Value, 0, len(mine))
	bytes := 0
	for _, w := range mine {
		e, ok := c.entryOf(t, w.key)
		if !ok {
			continue
		}
		left := time.Duration(0)
		if e.expires != 0 {
			if left = time.Duration(e.expires - near.Now()); left < time.Millisecond {
				continue
			}
		}
		if v, ok := c.encode(t.db.name, b.g, w.key, e, left); ok {
			values = append(values, v)
			bytes += len(v.Data)
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patienceWith(len(values), bytes))
	defer cancel()
	if !c.store.setRemote(ctx, t.db.name, values) {
		c.stats.remoteErrors.Add(1)
		return false
	}
	return len(values) == len(mine)
}

// patienceWith is for how long a backend may be busy with n values of so many
// bytes: with many it takes longer, and is not away.
func patienceWith(n, bytes int) time.Duration {
	return patience + time.Duration(n)*100*time.Microsecond + time.Duration(bytes)*time.Microsecond
}

// entryOf returns what the transaction has set under key, and marks it as known
// to the backend.
func (c *Cache[K, V]) entryOf(t *transaction, key entryKey[K]) (e entry[V], ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.done || t.work == nil || t.work.caches[&c.core] == nil {
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
