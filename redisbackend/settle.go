package redisbackend

import (
	"context"
	"strconv"
	"time"
)

// A process that has changed a database waits until no other may use a state of before
// without asking: with a fence before its database commit, without one before its call
// returns. A state in which the keys of the fence are marked is none of before. It waits
// whatever its own way to learn of changes is. // P3

const (
	// askAtOnce is how often it asks again without a pause: members that are well
	// have acknowledged by then.
	askAtOnce = 4

	firstPause   = 500 * time.Microsecond
	longestPause = 50 * time.Millisecond
)

// mustWait reports whether a change that was answered with r has to wait. The members
// that a new hash does not know are waited for only where there are members.
func (b *Backend) mustWait(r *reply) bool {
	if r.members > 0 && !b.expectsMembers.Swap(true) {
		b.options.Logger.Warn("txcache: another process uses sync = \"lease\"; cache.redis.wait must be set in the configuration of each process of the deployment, also of this one")
	}
	return r.members > 0 || r.unknown && b.expectsMembers.Load()
}

// settle waits until the server says that there is nobody to wait for. r is the answer to the
// change, nil if that was not understood; ask asks again, and, if announce, has the change
// announced again.
func (b *Backend) settle(ctx context.Context, db *dbInfo, r *reply, ask func(announce bool) (*reply, error)) error {
	if r != nil && !b.mustWait(r) {
		return nil
	}
	b.counters.waits.Add(1)
	start, pause, unread, late, waitedOut := b.now(), time.Duration(0), 0, false, false
	defer func() {
		took := b.now() - start
		b.counters.waitTimes.Count(took)
		if waitedOut {
			b.counters.waitedOut.Add(1)
			b.options.Logger.Warn("txcache: a change has waited until a process that does not answer could use no earlier state any more", "database", db.name, "waited", took)
		}
	}()
	for asked := 0; r == nil || b.mustWait(r); asked++ {
		if r == nil {
			if unread++; unread > maxTries {
				return errUnsettled
			}
		}
		if asked >= askAtOnce {
			if r != nil && r.members > 0 && !late {
				late = true
				b.counters.lateWaits.Add(1)
			}
			pause = min(max(firstPause, 2*pause), longestPause)
			b.waitFor(ctx, min(pause, db.nextOver(b)))
		}
		waitedOut = r != nil && r.members > 0 && db.isOver(b, r)
		var err error
		if r, err = ask(asked >= askAtOnce); err != nil {
			return err
		}
	}
	return nil
}

// waitFor waits for d, or until ctx is done or the Backend is closed.
func (b *Backend) waitFor(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	case <-b.ctx.Done():
	}
}

// nextOver returns how long it takes until more registrations are known to be over.
func (db *dbInfo) nextOver(b *Backend) time.Duration {
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.notes.next(b.now(), b.options.Wait)
}

// isOver reports whether all registrations that a change has to wait for are known to be over.
func (db *dbInfo) isOver(b *Backend, r *reply) bool {
	db.mu.Lock()
	defer db.mu.Unlock()
	return db.notes.epoch == r.epoch && db.notes.over(b.now(), b.options.Wait) >= r.upTo
}

// settleChange is settle for a change that was made, and answered with r.
func (b *Backend) settleChange(ctx context.Context, name string, r *reply) error {
	epoch, serial := "-", "0"
	if r != nil {
		epoch, serial = string(r.epoch), strconv.FormatUint(r.upTo, 10)
	}
	return b.settle(ctx, b.info(name), r, func(announce bool) (*reply, error) {
		_, r, err := b.change(ctx, name, opWait, epoch, serial, flag(announce))
		if r != nil && string(r.epoch) != epoch { // the hash was lost
			epoch, serial = string(r.epoch), strconv.FormatUint(r.upTo, 10)
		}
		return r, err
	})
}
