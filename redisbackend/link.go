package redisbackend

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/cause"
)

const (
	// lanes is how many requests a link sends side by side. Only what comes
	// while all are busy is collected, and then sent as one pipeline: with few
	// callers nothing waits, with many the system calls are shared.
	lanes = 2

	// batchSize bounds the commands that are collected for one pipeline.
	batchSize = 256
)

// A link carries requests to one server.
type link struct {
	b       *Backend
	breaker breaker

	mu     sync.Mutex
	active int
	queue  []*request
}

// A request is commands on their way to a server. Who made it must not touch
// the commands before finish was called.
type request struct {
	key       string // one that the server is to be found by
	cmds      []redis.Cmder
	abandoned atomic.Bool // nobody waits for it any more

	// finish is called once, in any goroutine, with an error if the server was
	// not reached or is not able to serve. Errors that concern one command
	// alone are left in that command.
	finish func(error)
}

// start sends r, now or when a lane is free. With here it does so in this
// goroutine if it can: handing a request to another one and back costs a third
// of a round trip on a loopback. Without, it does not wait.
func (l *link) start(r *request, here bool) {
	if err := l.breaker.refusal(); err != nil {
		r.finish(err)
		return
	}
	l.mu.Lock()
	if l.active >= lanes {
		l.queue = append(l.queue, r)
		l.mu.Unlock()
		return
	}
	l.active++
	l.mu.Unlock()
	if here {
		l.send([]*request{r}, r.cmds)
		l.leave()
	} else if !l.b.spawn(func() {
		l.send([]*request{r}, r.cmds)
		l.drain()
	}) {
		r.finish(backend.ErrClosed)
		l.leave()
	}
}

// leave ends the use of a lane by a caller, who must not be kept for the sake
// of those that have come since.
func (l *link) leave() {
	l.mu.Lock()
	if len(l.queue) == 0 {
		l.active--
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
		batch, cmds := l.next()
		if batch == nil {
			return
		}
		if err := l.breaker.refusal(); err != nil {
			for _, r := range batch {
				r.finish(err)
			}
			continue
		}
		l.send(batch, cmds)
	}
}

// next takes requests from the queue; nil ends the lane.
func (l *link) next() (batch []*request, cmds []redis.Cmder) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.queue) > 0 && len(cmds) < batchSize {
		r := l.queue[0]
		l.queue[0] = nil
		l.queue = l.queue[1:]
		if !r.abandoned.Load() {
			batch, cmds = append(batch, r), append(cmds, r.cmds...)
		}
	}
	if batch == nil {
		l.queue = nil
		l.active--
	}
	return batch, cmds
}

// send carries out a batch.
func (l *link) send(batch []*request, cmds []redis.Cmder) {
	err := l.exec(cmds)
	if broken(err) {
		// The server closed a connection that was idle, or has restarted.
		for _, cmd := range cmds {
			cmd.SetErr(nil)
		}
		err = l.exec(cmds)
	}
	if err != nil {
		err = l.fail(batch[0].key, err)
	} else if l == &l.b.links.first && l.b.cluster != nil {
		l.b.links.ready.Store(true)
	}
	for _, r := range batch {
		r.finish(err)
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
		explain(cmds, err)
	}
	for _, cmd := range cmds {
		if err := cmd.Err(); err != nil && unable(err) {
			return err
		}
	}
	return nil
}

// explain gives commands the error of their pipeline where none of them has one:
// that of a handshake, which the client tells of nowhere else.
func explain(cmds []redis.Cmder, err error) {
	if err == nil || slices.ContainsFunc(cmds, func(c redis.Cmder) bool { return c.Err() != nil }) {
		return
	}
	for _, c := range cmds {
		c.SetErr(err)
	}
}

// fail opens the breaker and returns what the caller is told.
func (l *link) fail(key string, err error) error {
	l.b.counters.failures.Add(1)
	if l.b.closed.Load() {
		return backend.ErrClosed
	}
	err = fmt.Errorf("txcache: redis cannot be used: %w", cause.Of(err))
	if l.breaker.trip(err) {
		l.b.options.Logger.Warn("txcache: redis cannot be used, it is left alone until it can", "error", err)
		l.b.distrust()
		l.b.spawn(func() { l.probe(key) })
	}
	return err
}

// probe waits until the server that has key is able to serve.
func (l *link) probe(key string) {
	wait := 50 * time.Millisecond
	for l.b.pause(wait) {
		wait = min(2*wait, 800*time.Millisecond)
		if l.b.cluster != nil {
			l.b.cluster.ReloadState(l.b.ctx) // another node may have taken over
		}
		cmd := probeScript.command(key)
		ctx, cancel := context.WithTimeout(l.b.ctx, l.b.options.Timeout)
		_ = l.b.client.Process(ctx, cmd)
		cancel()
		if err := cmd.Err(); err == nil || !unable(err) {
			l.b.distrust()
			l.breaker.close()
			l.b.options.Logger.Info("txcache: redis can be used again")
			return
		}
	}
}

// errSlow is the reason of a failure when a limit of Options has passed.
var errSlow = fmt.Errorf("no answer in time: %w", context.DeadlineExceeded)

// await waits for done, for ctx, or for the limit of a call to the server of key.
func (b *Backend) await(ctx context.Context, key string, done <-chan struct{}) error {
	select {
	case <-done:
		return nil
	default:
	}
	timer := time.NewTimer(b.options.Timeout)
	defer timer.Stop()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return b.links.of(key).fail(key, errSlow)
	}
}

// patient reports whether a call with ctx may be made in the caller's goroutine,
// where it ends with the time limits of the client rather than with ctx. The
// price is that of the calls that a server leaves without an answer, the first
// two of a link, whose breaker then opens, notice a cancellation only then.
func (b *Backend) patient(ctx context.Context) bool {
	if !b.prompt {
		return false
	}
	deadline, ok := ctx.Deadline()
	return !ok || time.Until(deadline) > b.options.Timeout
}

// do sends cmds, which belong to the server of key, and waits for the replies.
// After an error the commands must be left alone.
func (b *Backend) do(ctx context.Context, key string, cmds ...redis.Cmder) error {
	var failure error
	done := make(chan struct{})
	r := &request{key: key, cmds: cmds, finish: func(err error) {
		failure = err
		close(done)
	}}
	b.links.of(key).start(r, b.patient(ctx))
	if err := b.await(ctx, key, done); err != nil {
		r.abandoned.Store(true)
		return err
	}
	return failure
}
