package txcache

import (
	"context"
	"slices"
	"time"

	"github.com/seed-dad15c92/txcache/backend"
)

// A doubt is a commit that the database may still carry out: its fence stands
// for a lease, and its clear is put off until then.
type doubt struct {
	database string
	fence    *backend.Fence
	timer    *time.Timer
	lease    *lease // nil: the fence stands for long enough
}

// postpone is clear for a commit that is in doubt: for another lease the fence
// stands, should it have lapsed before, again. // P3
//
// What it costs is a fence in the backend, one in what this process holds, and a
// timer. A doubt takes the place of earlier ones whose caches it covers, as its
// fence stands for longer and its clear comes after theirs. So doubts of the same
// caches cost no more than one.
func (a *announcer) postpone(ctx context.Context, database string, f *backend.Fence) {
	defer a.end()
	a.store.counts.inDoubt.Add(1)
	a.store.quiet.warn(ctx, "commit in doubt", "database", database, "lease", f.Lease)
	standing := a.renew(context.WithoutCancel(ctx), database, f)
	for _, old := range a.doubt(&doubt{database: database, fence: f}, standing) {
		old.end()
		a.store.release(database, old.fence, nil)
		a.liftLater(database, old.fence)
	}
}

// doubt keeps d, and returns the doubts whose place it takes.
func (a *announcer) doubt(d *doubt, standing bool) (old []*doubt) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if standing {
		a.doubts = slices.DeleteFunc(a.doubts, func(o *doubt) bool {
			covered := o.database == d.database && coversAll(d.fence, o.fence) && o.timer.Stop()
			if covered {
				old = append(old, o)
			}
			return covered
		})
	} else if !a.closing {
		d.lease = a.keep(a.ctx, d.database, d.fence, d.fence.Lease/12)
	}
	a.doubts = append(a.doubts, d)
	d.timer = time.AfterFunc(d.fence.Lease, func() { a.settle(d) })
	return old
}

// settle clears the caches of d, whose lease has ended.
func (a *announcer) settle(d *doubt) {
	a.mu.Lock()
	if a.closing {
		a.mu.Unlock()
		return
	}
	a.doubts = slices.DeleteFunc(a.doubts, func(other *doubt) bool { return other == d })
	a.announcing.Add(1)
	a.mu.Unlock()
	defer a.announcing.Done()
	d.end()
	a.announce(a.ctx, d.database, d.fence, true)
}

// end returns when the fence is not renewed any more.
func (d *doubt) end() {
	if d.lease != nil {
		d.lease.end()
	}
}

// abandon forgets the doubts, as the store closes, and returns how many there
// are. Their fences lapse in the backend, which counts as a clear there.
func (a *announcer) abandon() int {
	a.mu.Lock()
	doubts := a.doubts
	a.doubts = nil
	a.mu.Unlock()
	for _, d := range doubts {
		d.timer.Stop()
		d.end()
	}
	return len(doubts)
}

// A lease keeps a fence standing while its commit runs.
type lease struct {
	timer *time.Timer
	stop  chan struct{}
	done  chan struct{}
}

// keep renews f after first, and then each third of its lease, until the lease is
// ended. What fails is tried again sooner, as the second third may be all that is
// left.
func (a *announcer) keep(ctx context.Context, database string, f *backend.Fence, first time.Duration) *lease {
	l := &lease{stop: make(chan struct{}), done: make(chan struct{})}
	every := f.Lease / 3
	l.timer = time.AfterFunc(first, func() {
		defer close(l.done)
		for {
			next := every
			if !a.renew(ctx, database, f) {
				next /= 4
			}
			select {
			case <-l.stop:
				return
			case <-time.After(next):
			}
		}
	})
	return l
}

// renew reports whether f stands for a lease from now.
func (a *announcer) renew(ctx context.Context, database string, f *backend.Fence) bool {
	calling, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := a.store.backend.Fence(calling, database, *f)
	if err != nil && ctx.Err() == nil {
		a.store.quiet.warn(ctx, "fence not renewed", "database", database, "error", err)
	}
	return err == nil
}

// end stops the renewals. It waits for one that is on its way, and does not
// cancel it: a call that has been given up may still be carried out, and would
// put up the fence again after its clear. One that the backend itself has given
// up may be so too, if the network keeps it for long enough: then the caches are
// bypassed for a lease, and cleared once more.
func (l *lease) end() {
	close(l.stop)
	if !l.timer.Stop() {
		<-l.done
	}
}
