package redisbackend

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seed-dad15c92/txcache/backend"
)

const (
	// maxInFlight is how many pipelines a link sends side by side. Only requests
	// that come meanwhile are collected, and then sent as one pipeline: with few
	// callers nothing waits, with many the system calls are shared.
	maxInFlight = 2

	// batchSize bounds the commands that are collected for one pipeline, and
	// batchBytes what they are expected to carry, either way: what is sent at
	// once delays what comes by another connection of the same line.
	batchSize  = 256
	batchBytes = 256 << 10
)

// A link carries requests of one kind to one server.
type link struct {
	b       *Backend
	breaker breaker

	control *link // the link of begins, fences and clears to the server
	values  *link // that of values, and what else may fail; nil in a link of values
	parts   *link // that of the parts of large values; nil in a link of values

	lastReply atomic.Int64 // when a request was last answered, by Backend.now
	probeWait atomic.Int64 // how long the last probe waited first; of values
	nextSend  atomic.Int64 // when the next part may be sent, by Backend.now; of parts

	mu          sync.Mutex
	inFlight    int
	maxInFlight int // how many pipelines may be under way
	maxQueued   int // how many requests may wait; 0: no limit
	maxBytes    int // bytes that go together
	queue       []*request
}

// A request is commands on their way to a server. Who made it must not touch
// the commands before finish was called.
type request struct {
	key       string // one that the server is to be found by
	cmds      []redis.Cmder
	gets      []*get      // that are sent after cmds
	bytes     int         // that commands and replies carry, about
	abandoned atomic.Bool // nobody waits for it any more

	// finish is called once, in any goroutine, with an error if the server was
	// not reached or is not able to serve. Errors that concern one command
	// alone are left in that command.
	finish func(error)
}

// start sends r, now or when a pipeline may be sent. If inline, it does so in the
// goroutine of the caller if it can: handing a request to another one and back
// costs a third of a round trip on a loopback. Else it does not wait.
func (l *link) start(r *request, inline bool) {
	if err := l.refusal(); err != nil {
		r.finish(err)
		return
	}
	l.mu.Lock()
	if l.inFlight >= l.maxInFlight {
		full := l.maxQueued > 0 && len(l.queue) >= l.maxQueued
		if !full {
			l.queue = append(l.queue, r)
		}
		l.mu.Unlock()
		if full {
			r.finish(errBusy)
		}
		return
	}
	l.inFlight++
	l.mu.Unlock()
	if inline {
		l.send([]*request{r})
		l.release()
	} else if !l.b.spawn(func() {
		l.send([]*request{r})
		l.drain()
	}) {
		r.finish(backend.ErrClosed)
		l.release()
	}
}

// release ends what a caller has sent itself. Another goroutine sends what has come
// since, for the caller must not wait for it.
func (l *link) release() {
	l.mu.Lock()
	if len(l.queue) == 0 {
		l.inFlight--
		l.mu.Unlock()
		return
	}
	l.mu.Unlock()
	if !l.b.spawn(l.drain) {
		l.drain()
	}
}

// drain sends what is queued until nothing is.
func (l *link) drain() {
	for {
		runtime.Gosched() // goroutines that are about to ask go along
		batch := l.dequeue()
		if batch == nil {
			return
		}
		if err := l.refusal(); err != nil {
			for _, r := range batch {
				r.finish(err)
			}
			continue
		}
		l.send(batch)
	}
}

// dequeue takes the requests of the next pipeline from the queue; nil ends drain.
func (l *link) dequeue() (batch []*request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	cmds, bytes := 0, 0
	for len(l.queue) > 0 && cmds < batchSize {
		r := l.queue[0]
		if batch != nil && bytes+r.bytes > l.maxBytes {
			break
		}
		l.queue[0] = nil
		l.queue = l.queue[1:]
		if !r.abandoned.Load() {
			batch, cmds, bytes = append(batch, r), cmds+len(r.cmds)+len(r.gets), bytes+r.bytes
		}
	}
	if batch == nil {
		l.queue = nil
		l.inFlight--
	}
	return batch
}

// send carries out a batch.
func (l *link) send(batch []*request) {
	if l == l.control.parts {
		if wait := time.Duration(l.nextSend.Load()) - l.b.now(); wait > 0 {
			l.b.pause(wait)
		}
		defer l.pace(l.b.now())
	}
	start := l.b.now()
	p := l.pipeline(batch)
	err := l.exec(p.cmds)
	if isConnectionLost(err) {
		// The server closed a connection that was idle, or has restarted.
		clearErrors(p.cmds)
		err = l.exec(p.cmds)
	}
	if err == nil && !p.answer() && len(batch) > 1 {
		err = l.getApart(batch)
	}
	switch {
	case err == nil:
		l.succeeded(start)
	case isConnectionLost(err) && l != l.control && l.alive(batch[0].key):
		l.sendEach(batch, err)
		return
	default:
		err = l.fail(batch[0].key, err)
	}
	for _, r := range batch {
		r.finish(err)
	}
}

// clearErrors takes errors from commands that are sent once more.
func clearErrors(cmds []redis.Cmder) {
	for _, cmd := range cmds {
		cmd.SetErr(nil)
	}
}

// succeeded takes note that a batch was answered that was sent at start.
func (l *link) succeeded(start time.Duration) {
	if l.control == &l.b.links.first && l.b.cluster != nil {
		l.b.links.ready.Store(true)
	}
	if now := l.b.now(); now-start < l.b.options.Timeout {
		l.lastReply.Store(int64(now))
		if l != l.control {
			l.probeWait.Store(0)
		}
	}
}

const (
	// minPace is how long no part follows another while others begin, fence
	// and clear: at 1 Gbit/s, as long as the part was on the line.
	minPace = 500 * time.Microsecond

	// recentUse is for how long a link counts as used after a request.
	recentUse = 100 * time.Millisecond
)

// pace puts off the next part for as long as that took which was sent at start,
// so that half of the line is left to others, if there are any.
func (l *link) pace(start time.Duration) {
	now := l.b.now()
	if used := time.Duration(l.control.lastReply.Load()); used > 0 && now-used < recentUse {
		l.nextSend.Store(int64(now + max(minPace, now-start)))
	}
}

// sendEach finds the requests of a batch over which the server, which is alive,
// closes the connection: a limit of its own, or of what stands between, is
// exceeded. They are refused by themselves, and nobody else notices.
func (l *link) sendEach(batch []*request, err error) {
	if len(batch) == 1 {
		batch[0].finish(fmt.Errorf("%w: %w", errRefused, err))
		return
	}
	for _, r := range batch {
		clearErrors(r.cmds)
		l.send([]*request{r})
	}
}

// exec sends cmds in one write and returns the first error that concerns the
// server rather than a command.
func (l *link) exec(cmds []redis.Cmder) error {
	l.b.counters.trips.Add(1)
	l.b.counters.commands.Add(uint64(len(cmds)))
	if len(cmds) == 1 {
		_ = l.b.client.Process(context.Background(), cmds[0]) // the command keeps it
	} else {
		pipe := l.b.client.Pipeline()
		_ = pipe.BatchProcess(context.Background(), cmds...)
		_, err := pipe.Exec(context.Background())
		spreadError(cmds, err)
	}
	for _, cmd := range cmds {
		if err := cmd.Err(); err != nil && isServerError(err) {
			return err
		}
	}
	return nil
}

// spreadError gives commands the error of their pipeline where none of them has one:
// that of a handshake, which the client tells of nowhere else.
func spreadError(cmds []redis.Cmder, err error) {
	if err == nil || slices.ContainsFunc(cmds, func(c redis.Cmder) bool { return c.Err() != nil }) {
		return
	}
	for _, c := range cmds {
		c.SetErr(err)
	}
}

// await waits for done, for ctx, or for the limit of a call.
func (l *link) await(ctx context.Context, key string, done <-chan struct{}) error {
	select {
	case <-done:
		return nil
	default:
	}
	timer := l.b.timers.Get().(*time.Timer)
	timer.Reset(l.b.options.Timeout)
	defer func() {
		if timer.Stop() { // else its channel may have a tick
			l.b.timers.Put(timer)
		}
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		if l.busy() {
			return errBusy
		}
		return l.fail(key, errSlow)
	}
}

// mayBlock reports whether a call with ctx may be made in the caller's goroutine,
// where it ends with the time limits of the client rather than with ctx. The
// price is that of the calls that a server leaves without an answer, the first
// two of a link, whose breaker then opens, notice a cancellation only then.
func (b *Backend) mayBlock(ctx context.Context) bool {
	if !b.bounded {
		return false
	}
	deadline, ok := ctx.Deadline()
	return !ok || time.Until(deadline) > b.options.Timeout
}

// do sends cmds, which belong to the server of key and are no values, and waits
// for the replies. After an error the commands must be left alone.
func (b *Backend) do(ctx context.Context, key string, cmds ...redis.Cmder) error {
	return b.links.of(key).do(ctx, &request{key: key, cmds: cmds})
}

// do sends r and waits for the replies. After an error its commands must be
// left alone.
func (l *link) do(ctx context.Context, r *request) error {
	w := l.b.waiters.Get().(*waiter)
	r.finish = w.finish
	l.start(r, l.b.mayBlock(ctx))
	if err := l.await(ctx, r.key, w.done); err != nil {
		r.abandoned.Store(true)
		return err // w is left to r, which has yet to finish
	}
	err := w.err
	l.b.waiters.Put(w)
	return err
}

// A waiter is where a call waits for one request to finish.
type waiter struct {
	done   chan struct{} // has room for one
	err    error         // valid once done
	finish func(error)
}

func newWaiter() *waiter {
	w := &waiter{done: make(chan struct{}, 1)}
	w.finish = func(err error) {
		w.err = err
		w.done <- struct{}{}
	}
	return w
}

func newTimer() *time.Timer {
	t := time.NewTimer(time.Hour)
	t.Stop()
	return t
}
