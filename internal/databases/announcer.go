package databases

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/seed-dad15c92/txcache/backend"
)

// An Announcer tells the backend of fences and clears, for as long as it takes.
type Announcer struct {
	registry *Registry
	ctx      context.Context // of what is told in the background; ends with Close
	stop     context.CancelFunc
	clears   *queue // that the backend could not be told of
	lifts    *queue // of fences that may stand though nothing was committed

	mu         sync.Mutex
	closing    bool
	committing int           // commits between their fence and their clear
	idle       chan struct{} // closed when there is none of them any more, while closing
	doubts     []*doubt
	announcing sync.WaitGroup // clears of doubts
}

// NewAnnouncer returns one for the databases of r.
func NewAnnouncer(r *Registry) *Announcer {
	ctx, stop := context.WithCancel(context.Background())
	a := &Announcer{registry: r, ctx: ctx, stop: stop, idle: make(chan struct{})}
	a.clears = &queue{ctx: ctx, tell: a.tellClear}
	a.lifts = &queue{ctx: ctx, tell: a.tellLift}
	return a
}

// Fence places f, here and in the backend, where it stands unless fenced is false;
// Clear, Postpone or Lift has to follow. If it returns an error, none stands here,
// and any that the backend may have is lifted in the background.
func (a *Announcer) Fence(ctx context.Context, database string, f *backend.Fence) (fenced bool, err error) {
	if err := a.begin(); err != nil {
		return false, err
	}
	r := a.registry
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
		a.liftLater(database, f)
	}
	a.end()
	return false, err
}

// Clear clears the caches of f, which may stand in the backend if it was fenced.
// If the backend cannot be told now, they stay private in this process until it
// has been.
func (a *Announcer) Clear(ctx context.Context, database string, f *backend.Fence, fenced bool) {
	defer a.end()
	a.announce(context.WithoutCancel(ctx), database, f, fenced)
}

func (a *Announcer) announce(ctx context.Context, database string, f *backend.Fence, fenced bool) {
	ctx, cancel := context.WithTimeout(ctx, min(f.Lease, Patience))
	defer cancel()
	n := &announcement{database: database, fence: f, fenced: fenced}
	if err := a.tellClear(ctx, n); err != nil { // P5
		a.registry.Counts.Delayed.Add(1)
		a.registry.Log.Warn(ctx, "clear waits for the backend", "database", database, "error", err)
		if !a.clears.add(n) { // another stands for it
			a.registry.release(database, f, nil)
		}
	}
}

// Lift ends a fence whose commit was not sent: nothing has changed, so nothing
// is cleared.
func (a *Announcer) Lift(ctx context.Context, database string, f *backend.Fence) {
	defer a.end()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), min(f.Lease, Patience))
	defer cancel()
	if err := a.registry.Backend.Unfence(ctx, database, *f); err != nil {
		a.liftLater(database, f)
	}
	a.registry.release(database, f, nil)
}

func (a *Announcer) liftLater(database string, f *backend.Fence) {
	a.lifts.add(&announcement{database: database, fence: f, until: time.Now().Add(f.Lease)})
}

func (a *Announcer) tellClear(ctx context.Context, n *announcement) error {
	ctx, end := a.registry.Trace(ctx, "clear", n.database, "", 0)
	state, err := a.registry.Backend.Clear(ctx, n.database, *n.fence)
	if end(err); err != nil {
		return err
	}
	a.registry.release(n.database, n.fence, state)
	for _, c := range n.covered {
		a.lifts.add(c)
	}
	return nil
}

func (a *Announcer) tellLift(ctx context.Context, n *announcement) error {
	return a.registry.Backend.Unfence(ctx, n.database, *n.fence)
}

// begin counts a commit that is about to clear, for Close to wait for.
func (a *Announcer) begin() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closing {
		return ErrClosed
	}
	a.committing++
	return nil
}

func (a *Announcer) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.committing--; a.committing == 0 && a.closing {
		close(a.idle)
	}
}

// Close waits for commits that are under way, a second at most, tries for the
// last time to tell what waits, for another second, and returns an error if
// clears were not announced.
func (a *Announcer) Close() error {
	a.mu.Lock()
	a.closing = true
	if a.committing == 0 {
		close(a.idle)
	}
	a.mu.Unlock()
	a.stop()
	a.clears.close()
	a.lifts.close()
	a.announcing.Wait()
	select {
	case <-a.idle:
	case <-time.After(time.Second):
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	a.clears.try(ctx)
	a.lifts.try(ctx)
	doubts := a.abandon()
	a.mu.Lock()
	committing := a.committing
	a.mu.Unlock()
	var errs []error
	if clears := a.clears.len(); clears+committing > 0 {
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
func (a *Announcer) Waiting() int { return a.clears.len() }
