package redisbackend

import (
	"sync/atomic"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/durations"
)

type counters struct {
	trips, commands, failures, removed, syncs atomic.Uint64
	syncTimes                                 durations.Counter

	waits, lateWaits, waitedOut atomic.Uint64 // changes that waited for members
	waitTimes                   durations.Counter
}

// Stats returns counts since the Backend was made, and its condition now.
func (b *Backend) Stats() backend.Stats {
	s := backend.Stats{
		RoundTrips: b.counters.trips.Load(),
		Commands:   b.counters.commands.Load(),
		Failures:   b.counters.failures.Load(),
		Removed:    b.counters.removed.Load(),
		Syncs:      b.counters.syncs.Load(),
		SyncTime:   b.counters.syncTimes.Sum(),
		Waits:      b.counters.waits.Load(),
		WaitTime:   b.counters.waitTimes.Sum(),
		LateWaits:  b.counters.lateWaits.Load(),
		WaitedOut:  b.counters.waitedOut.Load(),
		Garbage:    b.garbage.dead.Load(),
		Open:       b.links.first.breaker.refusal() != nil,

		SyncDurations: b.counters.syncTimes.Durations(),
		WaitDurations: b.counters.waitTimes.Durations(),
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
