package txcache

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/seed-dad15c92/txcache/backend"
)

// An announcer tells the backend of fences and clears, for as long as it takes.
type announcer struct {
	store  *Store
	ctx    context.Context // of what is told in the background; ends with close
	stop   context.CancelFunc
	clears *queue // that the backend could not be told of
	lifts  *queue // of fences that may stand though nothing was committed

	mu         sync.Mutex
	closing    bool
	committing int           // commits between their fence and their clear
	idle       chan struct{} // closed when there is none of them any more, while closing
	doubts     []*doubt
	announcing sync.WaitGroup // clears of doubts
}

func newAnnouncer(s *Store) *announcer {
	ctx, stop := context.WithCancel(context.Background())
	a := &announcer{store: s, ctx: ctx, stop: stop, idle: make(chan struct{})}
	a.clears = &queue{ctx: ctx, tell: a.tellClear}
	a.lifts = &queue{ctx: ctx, tell: a.tellLift}
	return a
}

// fence places f, here and in the backend, where it stands unless fenced is false;
// clear, postpone or lift has to follow. If it returns an error, none stands here,
// and any that the backend may have is lifted in the background.
func (a *announcer) fence(ctx context.Context, database string, f *backend.Fence) (fenced bool, err error) {
	if err := a.begin(); err != nil {
		return false, err
	}
	s := a.store
	s.hold(database, f)
	calling, end := s.trace(ctx, "fence", database, "", 0)
	err = ctx.Err()
	asked := err == nil
	if asked {
		err = s.backend.Fence(calling, database, *f)
	}
	end(err)
	if err == nil {
		s.counts.fences.Add(1)
		return true, nil
	}
	sent := asked && !errors.Is(err, backend.ErrNotSent)
	err = unavailable(ctx, "fence", database, err)
	if s.opts.CommitOnOutage && errors.Is(err, ErrUnavailable) && ctx.Err() == nil {
		s.quiet.warn(ctx, "commit without a fence", "database", database, "error", err)
		return sent, nil
	}
	if ctx.Err() == nil {
		s.counts.refused.Add(1)
	}
	s.release(database, f, nil)
	if sent {
		a.liftLater(database, f)
	}
	a.end()
	return false, err
}

// clear clears the caches of f, which may stand in the backend if it was fenced.
// If the backend cannot be told now, they stay private in this process until it
// has been.
func (a *announcer) clear(ctx context.Context, database string, f *backend.Fence, fenced bool) {
	defer a.end()
	a.announce(context.WithoutCancel(ctx), database, f, fenced)
}

func (a *announcer) announce(ctx context.Context, database string, f *backend.Fence, fenced bool) {
	ctx, cancel := context.WithTimeout(ctx, min(f.Lease, patience))
	defer cancel()
	n := &announcement{database: database, fence: f, fenced: fenced}
	if err := a.tellClear(ctx, n); err != nil { // P5
		a.store.counts.delayed.Add(1)
		a.store.quiet.warn(ctx, "clear waits for the backend", "database", database, "error", err)
		if !a.clears.add(n) { // another stands for it
			a.store.release(database, f, nil)
		}
	}
}

// lift ends a fence whose commit was not sent: nothing has changed, so nothing
// is cleared.
func (a *announcer) lift(ctx context.Context, database string, f *backend.Fence) {
	defer a.end()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), min(f.Lease, patience))
	defer cancel()
	if err := a.store.backend.Unfence(ctx, database, *f); err != nil {
		a.liftLater(database, f)
	}
	a.store.release(database, f, nil)
}

func (a *announcer) liftLater(database string, f *backend.Fence) {
	a.lifts.add(&announcement{database: database, fence: f, until: time.Now().Add(f.Lease)})
}

func (a *announcer) tellClear(ctx context.Context, n *announcement) error {
	ctx, end := a.store.trace(ctx, "clear", n.database, "", 0)
	state, err := a.store.backend.Clear(ctx, n.database, *n.fence)
	if end(err); err != nil {
		return err
	}
	a.store.release(n.database, n.fence, state)
	for _, c := range n.covered {
		a.lifts.add(c)
	}
	return nil
}

func (a *announcer) tellLift(ctx context.Context, n *announcement) error {
	return a.store.backend.Unfence(ctx, n.database, *n.fence)
}

// begin counts a commit that is about to clear, for close to wait for.
func (a *announcer) begin() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closing {
		return ErrClosed
	}
	a.committing++
	return nil
}

func (a *announcer) end() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.committing--; a.committing == 0 && a.closing {
		close(a.idle)
	}
}

// close waits for commits that are under way, a second at most, tries for the
// last time to tell what waits, for another second, and returns an error if
// clears were not announced.
func (a *announcer) close() error {
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
// told of yet. This process does not read the caches meanwhile, and tries again
// every few seconds at most.
func (s *Store) Waiting() int {
	s.made()
	return s.announcer.clears.len()
}
