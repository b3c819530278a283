package processes

import (
	"context"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/redisbackend"
)

// A Point is a step of a transaction at which its process can be made to die or
// to stop.
type Point uint8

// The points, in the order in which a transaction comes to them.
const (
	Beginning Point = iota // before Store.Begin
	Begun                  // after it: the state is known, and not used yet
	Loading                // between the read of a row and the fill of a cache
	BeforeFence
	Waiting // while a fence of the process waits for members
	AfterFence
	BeforeRenewal // of the fence, while the database commits
	AfterRenewal
	BeforeCommit // of the database
	AfterCommit
	BeforeClear
	AfterClear
	BeforePublish
	AfterPublish
	BeforeDrop // of a database that was removed
	AfterDrop
	lastPoint
)

var pointNames = [...]string{
	"beginning", "begun", "loading", "before fence", "waiting", "after fence", "before renewal", "after renewal", "before commit", "after commit",
	"before clear", "after clear", "before publish", "after publish", "before drop", "after drop",
}

func (p Point) String() string { return pointNames[p] }

// inWindow reports whether a fence stands at p whose commit has not taken effect.
func (p Point) inWindow() bool { return AfterFence <= p && p <= BeforeCommit }

// A ticket says what is to happen to the first who comes to a point: its number,
// whether it is to stop instead of dying, and the point.
type ticket uint64

func newTicket(number uint64, p Point, stop bool) ticket {
	t := ticket(number<<9 | uint64(p)<<1)
	if stop {
		t |= 1
	}
	return t
}

func (t ticket) number() uint64 { return uint64(t >> 9) }
func (t ticket) point() Point   { return Point(t >> 1) }
func (t ticket) stop() bool     { return t&1 != 0 }

// wanted returns the point that a ticket is out for.
func (b *Board) wanted() (Point, bool) {
	t := ticket(b.Count(Ticket))
	return t.point(), t != 0
}

// pass is called by a worker at a point.
func (b *Board) pass(p Point, worker int) {
	t := ticket(b.Count(Ticket))
	if t == 0 || t.point() != p || !b.swap(Ticket, uint64(t), 0) {
		return
	}
	if !t.stop() {
		atomic.AddUint64(&b.deaths[p], 1)
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // not one step further
	}
	atomic.AddUint64(&b.stops[p], 1)
	if p != BeforeRenewal && p != AfterRenewal { // it may be for longer than a fence lasts
		committing.Lock()
		defer committing.Unlock()
	}
	b.set(Stopped, t.number()<<8|uint64(worker+1))
	_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
	for b.Count(Resumed) < t.number() { // should the signal take a moment
		time.Sleep(time.Millisecond)
	}
}

// committing is held for reading by commits of this process from when they look whether their
// fence stands until the database has answered. A stop that may be longer than a fence
// lasts waits for them, so that none is between the two.
var committing sync.RWMutex

// A passage marks the context of a commit, whose steps are points.
type passage struct {
	fenced  atomic.Bool
	renewed atomic.Int64 // when the last call began that has placed or renewed the fence, since started
}

var started = time.Now()

// lapsed reports whether the fence of p may have ended, or is about to.
func (p *passage) lapsed(lease time.Duration) bool {
	return time.Since(started)-time.Duration(p.renewed.Load()) > lease*3/4
}

type passageKey struct{}

func passing(ctx context.Context) (context.Context, *passage) {
	p := &passage{}
	return context.WithValue(ctx, passageKey{}, p), p
}

// unaskedKey is that of a *bool, which is set if a call sends no question to the server.
type unaskedKey struct{}

// A watched is a backend with points.
type watched struct {
	*redisbackend.Backend
	pass   func(Point)
	wanted func() (Point, bool)

	// For schemes that are known to be wrong.
	noFence, noKeyFence, noRenewal, noWait bool
	alone                                  sync.Mutex // held by a fence without a wait, and by clears meanwhile
}

var (
	_ backend.Backend = (*watched)(nil)
	_ backend.Values  = (*watched)(nil)
	_ backend.Limited = (*watched)(nil)
	_ backend.Aged    = (*watched)(nil)
)

// SyncAged also tells whether the server was asked: a question counts before it is answered.
func (w *watched) SyncAged(ctx context.Context, database string) (*backend.State, time.Duration, error) {
	asked := w.Stats().Syncs
	state, age, err := w.Backend.SyncAged(ctx, database)
	if unasked, ok := ctx.Value(unaskedKey{}).(*bool); ok {
		*unasked = err == nil && w.Stats().Syncs == asked
	}
	return state, age, err
}

func (w *watched) Fence(ctx context.Context, database string, f backend.Fence) error {
	start := time.Since(started)
	err := w.fence(ctx, database, f)
	if p, ok := ctx.Value(passageKey{}).(*passage); ok && err == nil {
		p.renewed.Store(int64(start))
	}
	return err
}

func (w *watched) fence(ctx context.Context, database string, f backend.Fence) error {
	if w.noKeyFence {
		f.Keys = nil
	}
	if w.noFence || w.noKeyFence && len(f.Caches) == 0 && !f.All {
		return nil
	}
	before, after := BeforeFence, AfterFence
	if p, ok := ctx.Value(passageKey{}).(*passage); ok && p.fenced.Swap(true) {
		if before, after = BeforeRenewal, AfterRenewal; w.noRenewal {
			return nil
		}
	}
	w.pass(before)
	err := w.place(ctx, database, f)
	if err == nil {
		w.pass(after)
	}
	return err
}

// place places a fence. While the process waits it is at a point, if somebody wants it there; without a
// wait it returns then.
func (w *watched) place(ctx context.Context, database string, f backend.Fence) error {
	p, ok := w.wanted()
	if !w.noWait && !(ok && p == Waiting) {
		return w.Backend.Fence(ctx, database, f)
	}
	if w.noWait { // so that the first to wait is this fence
		w.alone.Lock()
		defer w.alone.Unlock()
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	done := make(chan struct{})
	var watches sync.WaitGroup
	before, waits := w.Stats().Waits, false
	watches.Go(func() {
		for !waits {
			select {
			case <-done:
				return
			case <-time.After(10 * time.Microsecond):
				waits = w.Stats().Waits > before
			}
		}
		if w.noWait {
			cancel()
		} else {
			w.pass(Waiting)
		}
	})
	err := w.Backend.Fence(ctx, database, f)
	close(done)
	watches.Wait()
	if w.noWait && waits {
		return nil
	}
	return err
}

func (w *watched) Clear(ctx context.Context, database string, f backend.Fence) (*backend.State, error) {
	w.pass(BeforeClear)
	if w.noWait {
		w.alone.Lock()
		defer w.alone.Unlock()
	}
	state, err := w.Backend.Clear(ctx, database, f)
	w.pass(AfterClear)
	return state, err
}

// Set is a point only in a commit.
func (w *watched) Set(ctx context.Context, values []backend.Value) error {
	if ctx.Value(passageKey{}) == nil {
		return w.Backend.Set(ctx, values)
	}
	w.pass(BeforePublish)
	err := w.Backend.Set(ctx, values)
	w.pass(AfterPublish)
	return err
}

func (w *watched) Drop(ctx context.Context, database string) error {
	w.pass(BeforeDrop)
	err := w.Backend.Drop(ctx, database)
	w.pass(AfterDrop)
	return err
}
