package databases

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
	renewal  *Renewal // nil: the fence stands for long enough
}

// Postpone is Clear for a commit that is in doubt: for another lease the fence
// stands, should it have lapsed before, again. // P3
//
// What it costs is a fence in the backend, one in what this process holds, and a
// timer. A doubt takes the place of earlier ones whose caches it covers, as its
// fence stands for longer and its clear comes after theirs. So doubts of the same
// caches cost no more than one.
func (a *Announcer) Postpone(ctx context.Context, database string, f *backend.Fence) {
	defer a.end()
	a.registry.Counts.InDoubt.Add(1)
	a.registry.Log.Warn(ctx, "commit in doubt", "database", database, "lease", f.Lease)
	standing := a.renew(context.WithoutCancel(ctx), database, f)
	for _, old := range a.doubt(&doubt{database: database, fence: f}, standing) {
		old.end()
		a.registry.release(database, old.fence, nil)
		a.liftLater(database, old.fence)
	}
}

// doubt keeps d, and returns the doubts whose place it takes.
func (a *Announcer) doubt(d *doubt, standing bool) (old []*doubt) {
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
		d.renewal = a.keep(a.ctx, d.database, d.fence, d.fence.Lease/12)
	}
	a.doubts = append(a.doubts, d)
	d.timer = time.AfterFunc(d.fence.Lease, func() { a.settle(d) })
	return old
}

// settle clears the caches of d, whose lease has ended.
func (a *Announcer) settle(d *doubt) {
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
	if d.renewal != nil {
		d.renewal.End()
	}
}

// abandon forgets the doubts, as the store closes, and returns how many there
// are. Their fences lapse in the backend, which counts as a clear there.
func (a *Announcer) abandon() int {
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
