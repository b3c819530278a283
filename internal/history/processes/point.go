package processes

import (
	"context"
	"os"
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
	Loading                // between the read of a row and the fill of a cache
	BeforeFence
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
	"beginning", "loading", "before fence", "after fence", "before renewal", "after renewal", "before commit", "after commit",
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
	b.set(Stopped, t.number()<<8|uint64(worker+1))
	_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
	for b.Count(Resumed) < t.number() { // should the signal take a moment
		time.Sleep(time.Millisecond)
	}
}

// A passage marks the context of a commit, whose steps are points.
type passage struct{ fenced atomic.Bool }

type passageKey struct{}

func passing(ctx context.Context) context.Context {
	return context.WithValue(ctx, passageKey{}, &passage{})
}

// A watched is a backend with points.
type watched struct {
	*redisbackend.Backend
	pass func(Point)

	// For schemes that are known to be wrong.
	noFence, noKeyFence, noRenewal bool
}

var (
	_ backend.Backend = (*watched)(nil)
	_ backend.Values  = (*watched)(nil)
	_ backend.Limited = (*watched)(nil)
)

func (w *watched) Fence(ctx context.Context, database string, f backend.Fence) error {
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
	err := w.Backend.Fence(ctx, database, f)
	if err == nil {
		w.pass(after)
	}
	return err
}

func (w *watched) Clear(ctx context.Context, database string, f backend.Fence) (*backend.State, error) {
	w.pass(BeforeClear)
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
