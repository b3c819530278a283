package databases

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/seed-dad15c92/txcache/backend"
)

// A Committer sends fences, clears and unfences to the backend for commits. It repeats
// a clear or an unfence until the backend accepts it. It is safe for concurrent use.
type Committer struct {
	registry *Registry
	ctx      context.Context // of the work in the background; ends with Close
	stop     context.CancelFunc
	clears   *queue // that the backend could not be told of
	unfences *queue // of fences that may stand although nothing was committed

	mu         sync.Mutex
	closing    bool
	committing int           // commits between their fence and their clear
	idle       chan struct{} // while closing, closed when committing is 0
	doubts     []*doubt
	clearing   sync.WaitGroup // clears of doubts
}

// NewCommitter returns a Committer for the databases of r.
func NewCommitter(r *Registry) *Committer {
	ctx, stop := context.WithCancel(context.Background())
	c := &Committer{registry: r, ctx: ctx, stop: stop, idle: make(chan struct{})}
	c.clears = &queue{ctx: ctx, send: c.sendClear}
	c.unfences = &queue{ctx: ctx, send: c.sendUnfence}
	return c
}

// Fence holds f in this process and places it in the backend. fenced is false if the
// backend certainly does not have it (CommitOnOutage). The caller must call Clear, Postpone or
// Unfence afterwards. After an error this process does not hold f, and Fence removes in
// the background one that the backend may have.
func (c *Committer) Fence(ctx context.Context, database string, f *backend.Fence) (fenced bool, err error) {
	if err := c.begin(); err != nil {
		return false, err
	}
	r := c.registry
	r.hold(database, f)
	calling, end := r.Trace(ctx, "fence", database, "", 0)
	err = ctx.Err()
	asked := err == nil
	if asked {
		err = r.Backend.Fence(calling, database, *f)
	}
	end(err)
	if err == nil {
		r.Counts.Fences.Add(1)
		return true, nil
	}
	sent := asked && !errors.Is(err, backend.ErrNotSent)
	err = Unavailable(ctx, "fence", database, err)
	if r.CommitOnOutage && errors.Is(err, ErrUnavailable) && ctx.Err() == nil {
		r.Log.Warn(ctx, "commit without a fence", "database", database, "error", err)
		return sent, nil
	}
	if ctx.Err() == nil {
		r.Counts.Refused.Add(1)
	}
	r.release(database, f, nil)
	if sent {
		c.unfenceLater(database, f)
	}
	c.end()
	return false, err
}

// Clear clears the caches of f and deletes its keys; fenced says whether f may stand in
// the backend. It reports whether the backend has accepted that. If the backend cannot be
// reached, the caches and keys stay private in this process until the backend has accepted
// the clear, or another that includes it.
func (c *Committer) Clear(ctx context.Context, database string, f *backend.Fence, fenced bool) (accepted bool) {
	defer c.end()
	return c.clear(context.WithoutCancel(ctx), database, f, fenced)
}

func (c *Committer) clear(ctx context.Context, database string, f *backend.Fence, fenced bool) (accepted bool) {
	ctx, cancel := context.WithTimeout(ctx, min(f.Lease, Patience))
	defer cancel()
	n := &pendingOp{database: database, fence: f, fenced: fenced}
	if err := c.sendClear(ctx, n); err != nil { // P5
		c.registry.Counts.Delayed.Add(1)
		c.registry.Log.Warn(ctx, "clear waits for the backend", "database", database, "error", err)
		if !c.clears.add(n) { // another replaces it
			c.registry.release(database, f, nil)
		}
		return false
	}
	return true
}

// Unfence removes a fence whose commit was not sent: nothing has changed, so nothing
// is cleared.
func (c *Committer) Unfence(ctx context.Context, database string, f *backend.Fence) {
	defer c.end()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), min(f.Lease, Patience))
	defer cancel()
	if err := c.registry.Backend.Unfence(ctx, database, *f); err != nil {
		c.unfenceLater(database, f)
	}
	c.registry.release(database, f, nil)
}

func (c *Committer) unfenceLater(database string, f *backend.Fence) {
	c.unfences.add(&pendingOp{database: database, fence: f, until: time.Now().Add(f.Lease)})
}

func (c *Committer) sendClear(ctx context.Context, n *pendingOp) error {
	ctx, end := c.registry.Trace(ctx, "clear", n.database, "", 0)
	state, err := c.registry.Backend.Clear(ctx, n.database, *n.fence)
	if end(err); err != nil {
		return err
	}
	c.registry.release(n.database, n.fence, state)
	for _, o := range n.absorbed {
		c.unfences.add(o)
	}
	return nil
}

func (c *Committer) sendUnfence(ctx context.Context, n *pendingOp) error {
	return c.registry.Backend.Unfence(ctx, n.database, *n.fence)
}

// begin counts a commit that is about to clear, so that Close waits for it.
func (c *Committer) begin() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closing {
		return ErrClosed
	}
	c.committing++
	return nil
}

func (c *Committer) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.committing--; c.committing == 0 && c.closing {
		close(c.idle)
	}
}

// Close waits at most a second for commits in progress. Then it tries once more, for
// at most a second, to send the waiting clears and unfences. It returns an error if
// some clears could not be sent.
func (c *Committer) Close() error {
	c.mu.Lock()
	c.closing = true
	if c.committing == 0 {
		close(c.idle)
	}
	c.mu.Unlock()
	c.stop()
	c.clears.close()
	c.unfences.close()
	c.clearing.Wait()
	select {
	case <-c.idle:
	case <-time.After(time.Second):
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	c.clears.try(ctx)
	c.unfences.try(ctx)
	doubts := c.abandon()
	c.mu.Lock()
	committing := c.committing
	c.mu.Unlock()
	var errs []error
	if clears := c.clears.len(); clears+committing > 0 {
		errs = append(errs, fmt.Errorf("%w: the store was closed before %d clears could be announced, and with %d commits under way; other processes bypass the caches until the fences' lease ends",
			ErrUnavailable, clears, committing))
	}
	if doubts > 0 {
		errs = append(errs, fmt.Errorf("%w: the store was closed with %d clears put off; other processes bypass the caches until the fences' lease ends",
			ErrInDoubt, doubts))
	}
	return errors.Join(errs...)
}

// Waiting returns the number of committed clears that the backend could not be
// told of yet.
func (c *Committer) Waiting() int { return c.clears.len() }
