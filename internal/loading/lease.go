package loading

import (
	"bytes"
	"context"
	"time"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/near"
	"github.com/seed-dad15c92/txcache/internal/transaction"
)

// Processes that need the same value agree that one of them loads it. That process
// has the lease: it puts a record under the value's key; the value replaces the
// record, or its TTL removes it. (After Nishtala et al., "Scaling Memcache at
// Facebook", 2013.) As the token is part of the key, a lease is of one generation. // P4

// How often a process checks whether another process's load has ended.
const (
	minPoll = 2 * time.Millisecond
	maxPoll = 20 * time.Millisecond
)

// noLeaseTTL is the TTL of the record that tells processes to load without a lease.
// Waiting processes check more often than that.
const noLeaseTTL = time.Second

// loadLeased loads the items whose leases it gets, and waits for the others, but no
// longer than a lease; then it leaves them in toLoad. If the backend fails, it does not
// wait. // P8
func (b *batch[K, V]) loadLeased(ctx context.Context) error {
	if !b.needsLeases() {
		return nil
	}
	all := b.toLoad
	b.toLoad = nil
	var leasable []*item[K, V]
	for _, it := range all {
		if it.call != nil {
			leasable = append(leasable, it)
		} else {
			b.toLoad = append(b.toLoad, it)
		}
	}
	owner := string(backend.NewToken())
	record := b.c.LeaseRecord(b.h.Transaction, owner)
	wait := leaseWait{blocked: blocked(ctx, b.h.Transaction)}
	defer wait.end()
	limit := time.NewTimer(b.c.lease)
	defer limit.Stop()
	for pause := minPoll; len(leasable) > 0; pause = min(2*pause, maxPoll) {
		mine, others, err := b.acquire(ctx, leasable, record)
		if err != nil {
			if ctx.Err() != nil { // some may have been granted
				granted := b.records(leasable, record)
				b.c.store.tasks.start(func(ctx context.Context) { swapRecords(ctx, b.c.Core.Store, granted, owner) })
			}
			b.toLoad = append(b.toLoad, leasable...)
			return nil
		}
		others = b.dropCycles(ctx, others, &wait)
		if len(b.toLoad)+len(mine) > 0 {
			if err := b.loadUnderLease(ctx, mine, owner, record); err != nil {
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
			b.toLoad = leasable
			return nil
		case <-ctx.Done():
			look.Stop()
			return context.Cause(ctx)
		}
	}
	return nil
}

// needsLeases reports whether the batch must ask for leases.
func (b *batch[K, V]) needsLeases() bool {
	return b.leads && b.c.lease > 0 && b.c.Core.Store.Swapper != nil && b.h.Sends()
}

// acquire asks for the leases of items. It returns the items whose leases were granted
// and those whose leases other processes have. Values that have arrived meanwhile end
// their calls; items that each process must load for itself go to toLoad.
func (b *batch[K, V]) acquire(ctx context.Context, items []*item[K, V], record []byte) (mine, others []*item[K, V], err error) {
	swaps := make([]backend.Swap, len(items))
	for i, it := range items {
		swaps[i] = backend.Swap{Key: b.c.RemoteKey(b.h.Database(), b.g, it.key), Old: it.oldPayload, New: record, TTL: b.c.lease}
	}
	b.leaseEnds = time.Now().Add(b.c.lease)
	found, err := b.c.Core.Store.Swapper.Swap(ctx, swaps)
	if err != nil {
		if ctx.Err() == nil {
			b.c.Counts.RemoteErrors.Add(1)
			b.c.Core.Store.Log.Warn(ctx, "remote lease", "database", b.h.Database(), "cache", b.c.Name, "error", err)
		}
		return nil, nil, err
	}
	for i, it := range items {
		there := found[i]
		granted := (there == nil) == (it.oldPayload == nil) && bytes.Equal(there, it.oldPayload)
		if granted || bytes.Equal(there, record) { // the latter if the call was delivered twice
			mine = append(mine, it)
			continue
		}
		it.oldPayload, it.uselessAt, it.owners = nil, 0, nil
		if there == nil {
			others = append(others, it)
			continue
		}
		r, leased := b.c.Receive(ctx, b.h.Transaction, b.g, it.key, there)
		if r.Found != transaction.Unknown {
			it.Result = r // else what has expired may be of use still
		}
		if r.Found.Known() {
			b.c.Counts.Waited.Add(1)
			b.finish(it, nil)
			continue
		}
		if leased {
			it.owners = parseRecord(there)
		}
		switch {
		case leased && len(it.owners) == 0, !leased && it.waited:
			// The owner says that its load is of no use to others, or has put back
			// what was there before.
			b.toLoad = append(b.toLoad, it)
			continue
		case leased:
			it.waited = true
		default: // it has expired, or is of no use
			it.oldPayload, it.uselessAt = there, r.Gone
		}
		others = append(others, it)
	}
	return mine, others, nil
}

// dropCycles writes into this process's lease records for which owners the batch will
// wait. Items whose wait would close a cycle go to toLoad; dropCycles returns the
// others.
func (b *batch[K, V]) dropCycles(ctx context.Context, items []*item[K, V], wait *leaseWait) (waits []*item[K, V]) {
	if len(items) == 0 {
		return nil
	}
	groups := wait.groups()
	var owners []string
	for _, it := range items {
		if waitsForOne(it.owners, groups) {
			b.toLoad = append(b.toLoad, it)
			continue
		}
		waits, owners = append(waits, it), append(owners, it.owners...)
	}
	if len(waits) > 0 {
		wait.write(ctx, groups, owners)
	}
	return waits
}

// records returns the places of items that have record.
func (b *batch[K, V]) records(items []*item[K, V], record []byte) []backend.Swap {
	swaps := make([]backend.Swap, len(items))
	for i, it := range items {
		swaps[i] = backend.Swap{Key: b.c.RemoteKey(b.h.Database(), b.g, it.key), Old: record}
	}
	return swaps
}

// loadUnderLease calls the loader for the items of toLoad and for mine, whose leases
// the batch has, and gives the leases back: the loaded values replace the records.
func (b *batch[K, V]) loadUnderLease(ctx context.Context, mine []*item[K, V], owner string, record []byte) error {
	b.toLoad = append(b.toLoad, mine...)
	b.definite = false
	if len(mine) == 0 {
		return b.loadRest(ctx)
	}
	b.c.Counts.Leased.Add(uint64(len(mine)))
	l := &leaseGroup{store: b.c.Core.Store, owner: owner, ends: b.leaseEnds, records: b.records(mine, record), encode: func(text string) []byte { return b.c.LeaseRecord(b.h.Transaction, text) }}
	waiting.addLeases(b.h.Transaction, l)
	defer func() { // also if the loader panics
		waiting.removeLeases(b.h.Transaction, l)
		b.release(ctx, mine, owner, record)
	}()
	if err := b.loadRest(ctx); err != nil {
		return err
	}
	mine = b.send(ctx, mine)
	return nil
}

// release gives leases back. It does not touch leases that have ended, and may belong
// to other processes now. If the loader's answer holds for other callers too, the record
// tells them to load without a lease, instead of one after another.
func (b *batch[K, V]) release(ctx context.Context, mine []*item[K, V], owner string, record []byte) {
	if len(mine) == 0 {
		return
	}
	swaps := b.records(mine, record)
	noLease := b.c.LeaseRecord(b.h.Transaction, "")
	bytes := 0
	for i, it := range mine {
		left := b.c.StaleFor
		if it.uselessAt != 0 { // the payload that is put back must not stay longer than it would have
			left = min(left, time.Duration(it.uselessAt-near.Now()))
		}
		switch s := &swaps[i]; {
		case it.oldPayload != nil && !isRecord(it.oldPayload) && left >= time.Millisecond && it.Found != transaction.Absent:
			s.New, s.TTL = it.oldPayload, left
		case b.definite:
			s.New, s.TTL = noLease, min(b.c.lease, noLeaseTTL)
		}
		bytes += len(swaps[i].New)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), transaction.PatienceWith(len(mine), bytes))
	defer cancel()
	if err := swapRecords(ctx, b.c.Core.Store, swaps, owner); err != nil {
		b.c.Counts.RemoteErrors.Add(1) // they end by themselves
	}
}

// send sends the loaded values to the backend at once, because other processes wait for
// them. It returns the items whose values are not there.
func (b *batch[K, V]) send(ctx context.Context, mine []*item[K, V]) (unsent []*item[K, V]) {
	c, t := b.c, b.h.Transaction
	if t.Private(&c.Core) { // no process asks for them any more
		return mine
	}
	values := make([]backend.Value, 0, len(mine))
	bytes := 0
	for _, it := range mine {
		if v, ok := c.Unsent(t, b.g, it.key); ok {
			values = append(values, v)
			bytes += len(v.Data)
		} else {
			unsent = append(unsent, it)
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), transaction.PatienceWith(len(values), bytes))
	defer cancel()
	if !c.Core.Store.SetRemote(ctx, t.Database(), values) {
		c.Counts.RemoteErrors.Add(1)
		return mine
	}
	return unsent
}
