package redisbackend

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/cause"
)

var (
	// errSlow is the reason of a failure when a limit of Options has passed.
	errSlow = fmt.Errorf("no answer in time: %w", context.DeadlineExceeded)

	// errBusy is what a value gets for which there was no time or no room, as the
	// server was busy with others. It says nothing of the server.
	errBusy = errors.New("txcache: redis: too many values are on their way")

	// errRefused is what a request gets over which the server closes connections.
	errRefused = errors.New("txcache: redis refuses the request")
)

// refusal returns why calls are refused, nil if they are not. A server that is
// away is away for values too, but not the other way round.
func (l *link) refusal() error {
	if err := l.control.breaker.refusal(); err != nil || l == l.control {
		return err
	}
	return l.breaker.refusal()
}

// fail opens the breaker and returns what the caller is told.
func (l *link) fail(key string, err error) error {
	l.b.counters.failures.Add(1)
	if l.b.closed.Load() {
		return backend.ErrClosed
	}
	if l != l.control {
		err = fmt.Errorf("txcache: redis cannot be used for values: %w", cause.Of(err))
		if l.breaker.trip(err) {
			l.b.options.Logger.Warn("txcache: redis cannot be used for values, they are misses until it can", "error", err)
			l.b.spawn(func() { l.probe(key) })
		}
		return err
	}
	err = fmt.Errorf("txcache: redis cannot be used: %w", cause.Of(err))
	if l.breaker.trip(err) {
		l.b.options.Logger.Warn("txcache: redis cannot be used, it is left alone until it can", "error", err)
		l.b.revalidateAll()
		l.b.spawn(func() { l.probe(key) })
	}
	return err
}

const (
	firstWait   = 50 * time.Millisecond
	longestWait = 10 * time.Second // of a link that answers a probe, and nothing more
)

// probe waits until the server that has key is able to serve.
func (l *link) probe(key string) {
	wait := firstWait
	if l != l.control { // longer each time, until a request is answered
		wait = min(max(wait, 2*time.Duration(l.probeWait.Load())), longestWait)
		l.probeWait.Store(int64(wait))
	}
	for l.b.pause(wait) {
		wait = min(2*wait, max(wait, 800*time.Millisecond))
		if l.b.cluster != nil {
			l.b.cluster.ReloadState(l.b.ctx) // another node may have taken over
		}
		if !l.alive(key) {
			continue
		}
		if l != l.control {
			l.breaker.close()
			l.b.options.Logger.Info("txcache: redis can be used for values again")
			return
		}
		l.b.revalidateAll()
		l.breaker.close()
		l.b.options.Logger.Info("txcache: redis can be used again")
		return
	}
}

// alive asks the server that has key whether it is able to serve.
func (l *link) alive(key string) bool {
	cmd := probeScript.command(key)
	ctx, cancel := context.WithTimeout(l.b.ctx, l.b.options.Timeout)
	defer cancel()
	_ = l.b.client.Process(ctx, cmd)
	return !isServerError(cmd.Err())
}

// busy reports whether the link of values has answered others within the limit
// of a call, so that a request which got no answer has but waited for them.
func (l *link) busy() bool {
	return l != l.control && l.b.now()-time.Duration(l.lastReply.Load()) < l.b.options.Timeout
}
