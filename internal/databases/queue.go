package databases

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/seed-dad15c92/txcache/backend"
)

// A queue keeps clears or unfences that the backend did not accept, and repeats them
// until it does. Clears and unfences have separate queues, so that a clear never waits
// for an unfence, which is of less use.
type queue struct {
	ctx  context.Context // of the calls in the background
	send func(context.Context, *pendingOp) error

	mu        sync.Mutex
	waiting   []*pendingOp // oldest first
	running   bool
	closing   bool
	delivered sync.WaitGroup // the goroutine that delivers
}

// A pendingOp is a clear of the caches of a fence, or an unfence.
type pendingOp struct {
	database string
	fence    *backend.Fence
	fenced   bool         // the fence of a clear may stand in the backend
	until    time.Time    // when it need not be sent any more; zero: never
	sending  bool         // it is on its way
	absorbed []*pendingOp // clears that it replaces, whose own fences may stand; oldest first
}

// Patience limits a call to the backend that no caller's context bounds: a backend
// that takes longer counts as one that does not answer.
const Patience = 5 * time.Second

const (
	minBackoff = 50 * time.Millisecond
	maxBackoff = 5 * time.Second
)

// add appends n, and starts the delivering goroutine if none runs. It returns false if
// a waiting clear replaces n; n is then not sent.
func (q *queue) add(n *pendingOp) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if n.until.IsZero() {
		if i := slices.IndexFunc(q.waiting, func(w *pendingOp) bool { return w.replaces(n) }); i >= 0 {
			q.waiting[i].absorb(n)
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

// replaces reports whether w is not sent yet and clears every cache that n clears.
func (w *pendingOp) replaces(n *pendingOp) bool {
	return !w.sending && w.database == n.database && includes(w.fence, n.fence)
}

// absorb records that w replaces n. If the fence of n stands in the backend, it is
// removed after w was sent; otherwise other processes would bypass the caches until
// the fence lapses.
func (w *pendingOp) absorb(n *pendingOp) {
	now := time.Now()
	for len(w.absorbed) > 0 && !now.Before(w.absorbed[0].until) { // it has lapsed
		w.absorbed = w.absorbed[1:]
	}
	if n.fenced {
		n.until = now.Add(n.fence.Lease)
		w.absorbed = append(w.absorbed, n)
	}
}

// deliver sends again and again, until the queue is empty.
func (q *queue) deliver() {
	for pause := minBackoff; ; pause = min(2*pause, maxBackoff) {
		select {
		case <-q.ctx.Done():
			return
		case <-time.After(pause):
		}
		ctx, cancel := context.WithTimeout(q.ctx, Patience)
		if q.try(ctx) {
			pause = minBackoff
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

// try sends the waiting clears or unfences, and reports whether the backend accepted
// any. After a failure for one database, it skips the rest of that database and goes
// on with others. // P7
// Only one goroutine at a time may call it.
func (q *queue) try(ctx context.Context) (taken bool) {
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
		q.setSending(n, true)
		if err := q.send(ctx, n); err != nil {
			q.setSending(n, false)
			failed[n.database] = true
			continue
		}
		q.remove(n)
		taken = true
	}
	return taken
}

func (q *queue) setSending(n *pendingOp, sending bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	n.sending = sending
}

func (q *queue) remove(n *pendingOp) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = slices.DeleteFunc(q.waiting, func(w *pendingOp) bool { return w == n })
}

func (q *queue) len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.waiting)
}

// close waits until the delivering goroutine has ended. The queue's context must have
// ended before.
func (q *queue) close() {
	q.mu.Lock()
	q.closing = true
	q.mu.Unlock()
	q.delivered.Wait()
}
