package databases

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/seed-dad15c92/txcache/backend"
)

// A queue is of announcements that the backend could not be told of: it tries
// them again until it can. Clears and lifts have one each, so that no clear waits
// for lifts, which are of less use.
type queue struct {
	ctx  context.Context // of what is told in the background
	tell func(context.Context, *announcement) error

	mu        sync.Mutex
	waiting   []*announcement // oldest first
	running   bool
	closing   bool
	delivered sync.WaitGroup // the goroutine that delivers
}

// An announcement is a fence to clear or to lift.
type announcement struct {
	database string
	fence    *backend.Fence
	fenced   bool            // the fence of a clear may stand in the backend
	until    time.Time       // when it need not be told any more; zero: never
	sent     bool            // it is on its way
	covered  []*announcement // clears that it stands for, whose own fences may stand; oldest first
}

// Patience is how long a call may take that is made for others than its caller: the
// backend does not answer then.
const Patience = 5 * time.Second

const (
	firstRetry = 50 * time.Millisecond
	lastRetry  = 5 * time.Second
)

// add queues n and makes sure that somebody delivers it. It reports false if n
// need not be told, as another that waits will be.
func (q *queue) add(n *announcement) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if n.until.IsZero() {
		if i := slices.IndexFunc(q.waiting, func(w *announcement) bool { return w.covers(n) }); i >= 0 {
			q.waiting[i].cover(n)
			return false
		}
	}
	q.waiting = append(q.waiting, n)
	if !q.running && !q.closing {
		q.running = true
		q.delivered.Go(q.deliver)
	}
	return true
}

// covers reports whether w clears what n does, and later than now.
func (w *announcement) covers(n *announcement) bool {
	return !w.sent && w.database == n.database && coversAll(w.fence, n.fence)
}

// cover notes that w stands for n. If the fence of n stands, it is lifted once w
// was told, or the caches would be bypassed until it lapses.
func (w *announcement) cover(n *announcement) {
	now := time.Now()
	for len(w.covered) > 0 && !now.Before(w.covered[0].until) { // it has lapsed
		w.covered = w.covered[1:]
	}
	if n.fenced {
		n.until = now.Add(n.fence.Lease)
		w.covered = append(w.covered, n)
	}
}

// deliver tries again and again, until nothing waits.
func (q *queue) deliver() {
	for pause := firstRetry; ; pause = min(2*pause, lastRetry) {
		select {
		case <-q.ctx.Done():
			return
		case <-time.After(pause):
		}
		ctx, cancel := context.WithTimeout(q.ctx, Patience)
		if q.try(ctx) {
			pause = firstRetry
		}
		cancel()
		q.mu.Lock()
		if len(q.waiting) == 0 {
			q.running = false
			q.mu.Unlock()
			return
		}
		q.mu.Unlock()
	}
}

// try tells the backend what waits, and reports whether it took any. Of a
// database that it cannot be told about, the rest waits too; others do not. // P7
// One goroutine at a time calls it.
func (q *queue) try(ctx context.Context) (told bool) {
	q.mu.Lock()
	waiting := slices.Clone(q.waiting)
	q.mu.Unlock()
	failed := map[string]bool{}
	for _, n := range waiting {
		if !n.until.IsZero() && !time.Now().Before(n.until) {
			q.remove(n)
			continue
		}
		if failed[n.database] {
			continue
		}
		q.send(n, true)
		if err := q.tell(ctx, n); err != nil {
			q.send(n, false)
			failed[n.database] = true
			continue
		}
		q.remove(n)
		told = true
	}
	return told
}

func (q *queue) send(n *announcement, sent bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	n.sent = sent
}

func (q *queue) remove(n *announcement) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = slices.DeleteFunc(q.waiting, func(w *announcement) bool { return w == n })
}

func (q *queue) len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting)
}

// close returns when nobody delivers any more. Its context has ended.
func (q *queue) close() {
	q.mu.Lock()
	q.closing = true
	q.mu.Unlock()
	q.delivered.Wait()
}
