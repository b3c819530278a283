package redisbackend

import "sync/atomic"

// Stats are counts since the Backend was made, and its condition now.
type Stats struct {
	RoundTrips uint64 // requests sent, whatever their number of commands
	Commands   uint64 // commands sent
	Failures   uint64 // requests that the server did not serve
	Removed    uint64 // values removed by Drop and Sweep
	Garbage    int64  // values written by this process and cleared since the last sweep, about
	Open       bool   // the breaker, of one server at least, is open: calls are refused
	Listening  bool   // announcements arrive; false without Options.Channel
}

type counters struct {
	trips, commands, failures, removed atomic.Uint64
}

// Stats returns the present ones.
func (b *Backend) Stats() Stats {
	s := Stats{
		RoundTrips: b.counters.trips.Load(),
		Commands:   b.counters.commands.Load(),
		Failures:   b.counters.failures.Load(),
		Removed:    b.counters.removed.Load(),
		Garbage:    b.garbage.dead.Load(),
		Open:       b.links.first.breaker.refusal() != nil,
	}
	b.links.others.Range(func(_, l any) bool {
		s.Open = s.Open || l.(*link).breaker.refusal() != nil
		return true
	})
	s.Listening = b.options.Channel && b.feed.proving(b.now())
	return s
}
