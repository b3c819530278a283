package redisbackend

import (
	"sync/atomic"
	"time"

	"github.com/seed-dad15c92/txcache/backend"
)

type counters struct {
	trips, commands, failures, removed, syncs atomic.Uint64
	syncTime                                  atomic.Int64

	waits, lateWaits, waitedOut atomic.Uint64 // changes that waited for members
	waitTime                    atomic.Int64
}

// Stats returns counts since the Backend was made, and its condition now.
func (b *Backend) Stats() backend.Stats {
	s := backend.Stats{
		RoundTrips: b.counters.trips.Load(),
		Commands:   b.counters.commands.Load(),
		Failures:   b.counters.failures.Load(),
		Removed:    b.counters.removed.Load(),
		Syncs:      b.counters.syncs.Load(),
		SyncTime:   time.Duration(b.counters.syncTime.Load()),
		Waits:      b.counters.waits.Load(),
		WaitTime:   time.Duration(b.counters.waitTime.Load()),
		LateWaits:  b.counters.lateWaits.Load(),
		WaitedOut:  b.counters.waitedOut.Load(),
		Garbage:    b.garbage.dead.Load(),
		Open:       b.links.first.breaker.refusal() != nil,
	}
	b.links.others.Range(func(_, l any) bool {
		s.Open = s.Open || l.(*link).breaker.refusal() != nil
		return true
	})
	if b.options.Channel || b.options.Lease {
		s.Listening = b.subscriber.receiving(b.now())
	}
	if b.options.Channel {
		s.Staleness = maxStaleness
	}
	if b.options.Lease {
		s.Terms = b.terms()
	}
	return s
}
