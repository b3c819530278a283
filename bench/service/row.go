package main

import (
	"fmt"
	"slices"
	"time"

	"github.com/seed-dad15c92/txcache/bench/measure"
)

func (m *measurement) add(o *measurement) {
	m.Reads, m.Writes = append(m.Reads, o.Reads...), append(m.Writes, o.Writes...)
	m.Stale += o.Stale
	m.Asked += o.Asked
}

// A row is what came of a variant, of each round.
type row struct {
	variant variant
	rate    []float64 // requests a second
	half    []float64 // milliseconds: half of the reads took no longer
	slow    []float64 // milliseconds: 99 % of the reads took no longer
	write   []float64 // the same of the writes
	asked   []float64 // % of the reads for which PostgreSQL was asked for rows
	reads   int       // in all rounds
	stale   int       // of them
}

func (r *row) add(m *measurement, over time.Duration) {
	r.rate = append(r.rate, float64(len(m.Reads)+len(m.Writes))/over.Seconds())
	r.half, r.slow = append(r.half, quantile(m.Reads, 0.5)), append(r.slow, quantile(m.Reads, 0.99))
	r.write = append(r.write, quantile(m.Writes, 0.99))
	r.asked = append(r.asked, 100*float64(m.Asked)/float64(max(len(m.Reads), 1)))
	r.reads += len(m.Reads)
	r.stale += m.Stale
}

// quantile returns that of times in milliseconds, and 0 where there are none.
func quantile(times []time.Duration, q float64) float64 {
	if len(times) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(times))
	return float64(sorted[int(q*float64(len(sorted)-1))].Microseconds()) / 1000
}

// staleness is the share of the reads that were stale, in %.
func (r *row) staleness() float64 { return 100 * float64(r.stale) / float64(max(r.reads, 1)) }

// times returns the requests of a second as a multiple of those of another row in the
// same round.
func (r *row) times(o *row) measure.Spread {
	var all []float64
	for i := range r.rate {
		all = append(all, r.rate[i]/o.rate[i])
	}
	return measure.SpreadOf(all)
}

// latest says what the last round has come to.
func (r *row) latest() string {
	last := len(r.rate) - 1
	return fmt.Sprintf("%6.0f requests/s, reads %.2f ms, p99 %.2f ms, writes p99 %.2f ms, %.1f %% asked, %d stale so far",
		r.rate[last], r.half[last], r.slow[last], r.write[last], r.asked[last], r.stale)
}
