package databases

import (
	"context"
	"time"

	"github.com/seed-dad15c92/txcache/backend"
)

// A Renewal keeps a fence standing while its commit runs.
type Renewal struct {
	timer *time.Timer
	stop  chan struct{}
	done  chan struct{}
}

// Renew renews f, each third of its lease, until the caller ends the renewal.
func (c *Committer) Renew(ctx context.Context, database string, f *backend.Fence) *Renewal {
	return c.keep(ctx, database, f, f.Lease/3)
}

// keep renews f after first, and then each third of its lease, until the caller ends
// the renewal. After a failure it tries again after a quarter of that time, because
// the fence may lapse before two more attempts.
func (c *Committer) keep(ctx context.Context, database string, f *backend.Fence, first time.Duration) *Renewal {
	l := &Renewal{stop: make(chan struct{}), done: make(chan struct{})}
	every := f.Lease / 3
	l.timer = time.AfterFunc(first, func() {
		defer close(l.done)
		for {
			next := every
			if !c.renew(ctx, database, f) {
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
func (c *Committer) renew(ctx context.Context, database string, f *backend.Fence) bool {
	calling, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	err := c.registry.Backend.Fence(calling, database, *f)
	if err != nil && ctx.Err() == nil {
		c.registry.Log.Warn(ctx, "fence not renewed", "database", database, "error", err)
	}
	return err == nil
}

// End stops the renewals. It waits for a renewal that is in progress and does not
// cancel it: the backend's server may still execute a cancelled call, and would place
// the fence again after the clear. The server may also execute a call that the backend
// itself has given up, if the network keeps it for long enough: then the caches are
// bypassed for a lease, and cleared once more.
func (l *Renewal) End() {
	close(l.stop)
	if !l.timer.Stop() {
		<-l.done
	}
}
