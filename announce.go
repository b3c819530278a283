package txcache

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/seed-dad15c92/txcache/backend"
)

// An announcer tells the backend of fences and clears, for as long as it takes.
type announcer struct {
	store *Store
	ctx   context.Context // of the deliveries in the background; ends with close
	stop  context.CancelFunc

	mu         sync.Mutex
	waiting    []*announcement // what the backend could not be told yet, oldest first
	delivering bool
	delivered  sync.WaitGroup // the goroutine that delivers
	closing    bool
	committing int           // commits between their fence and their clear
	idle       chan struct{} // closed when there is none of them any more, while closing
}

func newAnnouncer(s *Store) *announcer {
	ctx, stop := context.WithCancel(context.Background())
	return &announcer{store: s, ctx: ctx, stop: stop, idle: make(chan struct{})}
}

// An announcement is a fence to clear, or just to lift.
type announcement struct {
	database string
	fence    *backend.Fence
	lift     bool
	until    time.Time // when a fence to lift has lapsed anyway
	sent     bool      // it is on its way
}

// fence places f, here and in the backend; clear has to follow. If it returns an
// error, none stands here, and any that the backend may have is lifted in the
// background.
func (a *announcer) fence(ctx context.Context, database string, f *backend.Fence) error {
	if err := a.begin(); err != nil {
		return err
	}
	s := a.store
	s.hold(database, f)
	calling, end := s.trace(ctx, "fence", database, "", 0)
	err := s.backend.Fence(calling, database, *f)
	end(err)
	if err == nil {
		s.counts.fences.Add(1)
		return nil
	}
	err = unavailable(ctx, "fence", database, err)
	if s.opts.CommitOnOutage && errors.Is(err, ErrUnavailable) && ctx.Err() == nil {
		s.quiet.warn(ctx, "commit without a fence", "database", database, "error", err)
		return nil
	}
	if ctx.Err() == nil {
		s.counts.refused.Add(1)
	}
	s.release(database, f, nil)
	a.later(&announcement{database: database, fence: f, lift: true, until: time.Now().Add(f.Lease)})
	a.end()
	return err
}

// clear clears the caches of f. If the backend cannot be told now, they stay
// private in this process until it has been.
func (a *announcer) clear(ctx context.Context, database string, f *backend.Fence) {
	defer a.end()
	a.announce(context.WithoutCancel(ctx), database, f)
}

// postpone is clear for a commit that the database may still carry out: for
// another lease the fence stands, should it have lapsed before, again. // P3
func (a *announcer) postpone(ctx context.Context, database string, f *backend.Fence) {
	defer a.end()
	a.store.counts.inDoubt.Add(1)
	a.store.quiet.warn(ctx, "commit in doubt", "database", database, "lease", f.Lease)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), min(f.Lease, patience))
	defer cancel()
	if err := a.store.backend.Fence(ctx, database, *f); err != nil {
		a.store.quiet.warn(ctx, "fence not renewed", "database", database, "error", err)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closing {
		return // the fence lapses by itself
	}
	a.delivered.Go(func() {
		select {
		case <-a.ctx.Done():
		case <-time.After(f.Lease):
			a.announce(a.ctx, database, f)
		}
	})
}

func (a *announcer) announce(ctx context.Context, database string, f *backend.Fence) {
	ctx, cancel := context.WithTimeout(ctx, min(f.Lease, patience))
	defer cancel()
	ctx, end := a.store.trace(ctx, "clear", database, "", 0)
	state, err := a.store.backend.Clear(ctx, database, *f)
	end(err)
	if err != nil { // P5
		a.store.counts.delayed.Add(1)
		a.store.quiet.warn(ctx, "clear waits for the backend", "database", database, "error", err)
		a.later(&announcement{database: database, fence: f})
		return
	}
	a.store.release(database, f, state)
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

const (
	patience   = 5 * time.Second // with a backend that does not answer
	firstRetry = 50 * time.Millisecond
	lastRetry  = 5 * time.Second
)

// later queues an announcement and makes sure that somebody delivers it.
func (a *announcer) later(n *announcement) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !n.lift && slices.ContainsFunc(a.waiting, func(w *announcement) bool { return w.covers(n) }) {
		a.store.release(n.database, n.fence, nil)
		return
	}
	a.waiting = append(a.waiting, n)
	if a.delivering || a.closing {
		return
	}
	a.delivering = true
	a.delivered.Go(a.deliver)
}

// covers reports whether n need not be told because w will be: it clears the
// same caches, and later than now.
func (w *announcement) covers(n *announcement) bool {
	if w.lift || w.sent || w.database != n.database || n.fence.All && !w.fence.All {
		return false
	}
	return !slices.ContainsFunc(n.fence.Caches, func(g backend.Generation) bool { return !covers(w.fence, g.Cache) })
}

// deliver tries again and again, until nothing waits.
func (a *announcer) deliver() {
	for pause := firstRetry; ; pause = min(2*pause, lastRetry) {
		select {
		case <-a.ctx.Done():
			return
		case <-time.After(pause):
		}
		ctx, cancel := context.WithTimeout(a.ctx, patience)
		if a.try(ctx) {
			pause = firstRetry
		}
		cancel()
		a.mu.Lock()
		if len(a.waiting) == 0 {
			a.delivering = false
			a.mu.Unlock()
			return
		}
		a.mu.Unlock()
	}
}

// try tells the backend what waits, and reports whether it took any. Of a
// database that it cannot be told about, the rest waits too; others do not. // P7
// One goroutine at a time calls it.
func (a *announcer) try(ctx context.Context) (told bool) {
	a.mu.Lock()
	queue := slices.Clone(a.waiting)
	a.mu.Unlock()
	failed := map[string]bool{}
	for _, n := range queue {
		if !failed[n.database] && a.tell(ctx, n) {
			told = true
		} else {
			failed[n.database] = true
		}
	}
	return told
}

// tell tells the backend of n, and reports whether it need not be told again.
func (a *announcer) tell(ctx context.Context, n *announcement) bool {
	a.send(n, true)
	if n.lift {
		if err := a.store.backend.Unfence(ctx, n.database, *n.fence); err != nil && time.Now().Before(n.until) {
			a.send(n, false)
			return false
		}
	} else {
		calling, end := a.store.trace(ctx, "clear", n.database, "", 0)
		state, err := a.store.backend.Clear(calling, n.database, *n.fence)
		if end(err); err != nil {
			a.send(n, false)
			return false
		}
		a.store.release(n.database, n.fence, state)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.waiting = slices.DeleteFunc(a.waiting, func(w *announcement) bool { return w == n })
	return true
}

func (a *announcer) send(n *announcement, sent bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	n.sent = sent
}

// close waits for commits that are under way, a second at most, tries for the
// last time, for another, and returns an error if clears are lost.
func (a *announcer) close() error {
	a.mu.Lock()
	a.closing = true
	if a.committing == 0 {
		close(a.idle)
	}
	a.mu.Unlock()
	a.stop()
	a.delivered.Wait()
	select {
	case <-a.idle:
	case <-time.After(time.Second):
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	a.try(ctx)
	a.mu.Lock()
	committing := a.committing
	a.mu.Unlock()
	if clears := a.clears(); clears+committing > 0 {
		return fmt.Errorf("%w: the store was closed before %d clears could be announced, and with %d commits under way; other processes bypass the caches until the fences' lease ends",
			ErrUnavailable, clears, committing)
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
func (s *Store) Waiting() int {
	s.made()
	return s.announcer.clears()
}

// A lease keeps a fence standing while its commit runs.
type lease struct {
	timer  *time.Timer
	cancel context.CancelFunc
	done   chan struct{}
}

// keep renews f each third of its lease until the lease is ended. What fails is
// tried again sooner, as the second third may be all that is left.
func (a *announcer) keep(ctx context.Context, database string, f *backend.Fence) *lease {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	l := &lease{cancel: cancel, done: make(chan struct{})}
	every := f.Lease / 3
	l.timer = time.AfterFunc(every, func() {
		defer close(l.done)
		for {
			next := every
			if err := a.store.backend.Fence(ctx, database, *f); err != nil && ctx.Err() == nil {
				a.store.quiet.warn(ctx, "fence not renewed", "database", database, "error", err)
				next /= 4
			}
			select {
			case <-ctx.Done():
				return
			case <-time.After(next):
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
