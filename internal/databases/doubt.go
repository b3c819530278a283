package databases

import (
	"context"
	"slices"
	"time"

	"github.com/seed-dad15c92/txcache/backend"
)

// A doubt is a commit whose outcome is unknown: the database may still carry it out.
// Its fence stands for another lease; after that its caches are cleared.
type doubt struct {
	database string
	fence    *backend.Fence
	timer    *time.Timer
	renewal  *Renewal // nil: the fence stands for long enough
}

// Postpone is Clear for a commit in doubt: it delays the clear by a lease. It renews
// the fence first, in case that has lapsed. // P3
//
// A doubt costs a fence in the backend, a hold in this process, and a timer. A newer
// doubt replaces older ones whose caches it includes, because its fence stands longer
// and its clear comes later. So doubts of the same caches cost no more than one.
func (c *Committer) Postpone(ctx context.Context, database string, f *backend.Fence) {
	defer c.end()
	c.registry.Counts.InDoubt.Add(1)
	c.registry.Log.Warn(ctx, "commit in doubt", "database", database, "lease", f.Lease)
	standing := c.renew(context.WithoutCancel(ctx), database, f)
	for _, old := range c.doubt(&doubt{database: database, fence: f}, standing) {
		old.end()
		c.registry.release(database, old.fence, nil)
		c.unfenceLater(database, old.fence)
	}
}

// doubt stores d, and returns the older doubts that d replaces.
func (c *Committer) doubt(d *doubt, standing bool) (old []*doubt) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if standing {
		c.doubts = slices.DeleteFunc(c.doubts, func(o *doubt) bool {
			replaced := o.database == d.database && includes(d.fence, o.fence) && o.timer.Stop()
			if replaced {
				old = append(old, o)
			}
			return replaced
		})
	} else if !c.closing {
		d.renewal = c.keep(c.ctx, d.database, d.fence, d.fence.Lease/12)
	}
	c.doubts = append(c.doubts, d)
	d.timer = time.AfterFunc(d.fence.Lease, func() { c.settle(d) })
	return old
}

// settle clears the caches of d, whose lease has ended.
func (c *Committer) settle(d *doubt) {
	c.mu.Lock()
	if c.closing {
		c.mu.Unlock()
		return
	}
	c.doubts = slices.DeleteFunc(c.doubts, func(other *doubt) bool { return other == d })
	c.clearing.Add(1)
	c.mu.Unlock()
	defer c.clearing.Done()
	d.end()
	c.clear(c.ctx, d.database, d.fence, true)
}

// end waits until no renewal of the fence is in progress, and starts no other.
func (d *doubt) end() {
	if d.renewal != nil {
		d.renewal.End()
	}
}

// abandon removes the doubts when the store closes, and returns how many there were.
// Their fences lapse in the backend, which counts as a clear there.
func (c *Committer) abandon() int {
	c.mu.Lock()
	doubts := c.doubts
	c.doubts = nil
	c.mu.Unlock()
	for _, d := range doubts {
		d.timer.Stop()
		d.end()
	}
	return len(doubts)
}
