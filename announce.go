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
	store *Store

	mu      sync.Mutex
	waiting []announcement // what the backend could not be told yet, oldest first
	running bool           // deliver
	stop    chan struct{}  // closed by close; made with the announcer
	stopped sync.WaitGroup // deliver
}

// An announcement is a fence to clear, or just to lift.
type announcement struct {
	db    *database
	fence *backend.Fence
	lift  bool
	until time.Time // when a fence to lift has lapsed anyway
}

// fence places f, here and in the backend. If it returns an error, none stands
// here, and any that the backend may have is lifted in the background.
func (a *announcer) fence(ctx context.Context, db *database, f *backend.Fence) error {
	s := a.store
	if s.closed.Load() {
		return ErrClosed
	}
	db.hold(f)
	err := s.backend.Fence(ctx, db.name, *f)
	if err == nil {
		return nil
	}
	err = unavailable(ctx, "fence", db.name, err)
	if s.opts.CommitOnOutage && errors.Is(err, ErrUnavailable) {
		s.quiet.warn(ctx, "commit without a fence", "database", db.name, "error", err)
		return nil
	}
	db.release(f, nil)
	a.later(announcement{db: db, fence: f, lift: true, until: time.Now().Add(f.Lease)})
	return err
}

// clear clears the caches of f, and returns the view that shows it. If the
// backend cannot be told now, the caches stay private in this process until it
// has been.
func (a *announcer) clear(ctx context.Context, db *database, f *backend.Fence) *view {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), f.Lease)
	defer cancel()
	state, err := a.store.backend.Clear(ctx, db.name, *f)
	if err != nil { // P5
		a.store.quiet.warn(ctx, "clear waits for the backend", "database", db.name, "error", err)
		a.later(announcement{db: db, fence: f})
		return db.newest.Load()
	}
	return db.release(f, state)
}

const (
	firstRetry = 50 * time.Millisecond
	lastRetry  = 5 * time.Second
	lastTry    = time.Second // what close waits for at most
)

// later queues an announcement and makes sure that somebody delivers it.
func (a *announcer) later(n announcement) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.waiting = append(a.waiting, n)
	if a.running || a.store.closed.Load() {
		return
	}
	a.running = true
	a.stopped.Add(1)
	go a.deliver()
}

// deliver tries again and again, until nothing waits.
func (a *announcer) deliver() {
	defer a.stopped.Done()
	for pause := firstRetry; ; pause = min(2*pause, lastRetry) {
		timer := time.NewTimer(pause)
		select {
		case <-a.stop:
			timer.Stop()
			return
		case <-timer.C:
		}
		ctx, cancel := context.WithTimeout(context.Background(), lastRetry)
		told := a.try(ctx)
		cancel()
		if told {
			pause = firstRetry
		}
		a.mu.Lock()
		if len(a.waiting) == 0 {
			a.running = false
			a.mu.Unlock()
			return
		}
		a.mu.Unlock()
	}
}

// try tells the backend what waits, up to the first that fails, and reports
// whether it took any.
func (a *announcer) try(ctx context.Context) (told bool) {
	for {
		a.mu.Lock()
		if len(a.waiting) == 0 {
			a.mu.Unlock()
			return told
		}
		n := a.waiting[0]
		a.mu.Unlock()

		if n.lift {
			if err := a.store.backend.Unfence(ctx, n.db.name, *n.fence); err != nil && time.Now().Before(n.until) {
				return told
			}
		} else {
			state, err := a.store.backend.Clear(ctx, n.db.name, *n.fence)
			if err != nil {
				return told
			}
			n.db.release(n.fence, state)
		}
		told = true
		a.mu.Lock()
		a.waiting = a.waiting[1:]
		a.mu.Unlock()
	}
}

// close tries for the last time, and returns an error if clears are lost.
func (a *announcer) close() error {
	close(a.stop)
	a.stopped.Wait()
	ctx, cancel := context.WithTimeout(context.Background(), lastTry)
	defer cancel()
	a.try(ctx)
	if n := a.clears(); n > 0 {
		return fmt.Errorf("%w: %d clears could not be announced before the store was closed", ErrUnavailable, n)
	}
	return nil
}

// clears counts the clears that wait.
func (a *announcer) clears() (n int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, w := range a.waiting {
		if !w.lift {
			n++
		}
	}
	return n
}

// Waiting returns the number of committed clears that the backend could not be
// told of yet. This process does not read the caches meanwhile, and tries again
// every few seconds at most.
func (s *Store) Waiting() int { return s.announcer.clears() }

// A lease keeps a fence standing while its commit runs.
type lease struct {
	timer  *time.Timer
	cancel context.CancelFunc
	done   chan struct{}
}

// keep renews f each third of its lease until the lease is ended.
func (a *announcer) keep(ctx context.Context, db *database, f *backend.Fence) *lease {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	l := &lease{cancel: cancel, done: make(chan struct{})}
	every := max(f.Lease/3, time.Millisecond)
	l.timer = time.AfterFunc(every, func() {
		defer close(l.done)
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			if err := a.store.backend.Fence(ctx, db.name, *f); err != nil && ctx.Err() == nil {
				a.store.quiet.warn(ctx, "fence not renewed", "database", db.name, "error", err)
			}
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
		}
	})
	return l
}

// end returns when no renewal is on its way any more, so that none can follow
// the clear.
func (l *lease) end() {
	l.cancel()
	if !l.timer.Stop() {
		<-l.done
	}
}
