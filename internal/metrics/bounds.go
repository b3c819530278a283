package metrics

import (
	"math"

	"github.com/seed-dad15c92/txcache/backend"
)

// Of a Histogram, the bounds are powers of two of a second, which are those of schema 0
// of native histograms of Prometheus and of scale 0 of exponential histograms of
// OpenTelemetry.
const (
	// Least is the exponent of the least bound.
	Least = -15

	// Bounds is how many there are.
	Bounds = len(backend.Durations{}) - 1
)

// Bound returns a bound in seconds, not rounded.
func Bound(i int) float64 { return math.Ldexp(1, Least+i) }

// Classic returns the indexes of the bounds of m where each costs a time series: every
// second one if it is PerCache.
func (m *Metric) Classic() (indexes []int) {
	step := 1
	if m.PerCache() {
		step = 2
	}
	for i := step - 1; i < Bounds; i += step {
		indexes = append(indexes, i)
	}
	return indexes
}

// Classic returns, for each of the bounds of s.Metric.Classic, how many operations took at
// most so long.
func (s *Sample) Classic() map[float64]uint64 {
	below := map[float64]uint64{}
	var n uint64
	next := 0
	for _, i := range s.Metric.Classic() {
		for ; next <= i; next++ {
			n += s.Durations[next]
		}
		below[Bound(i)] = n
	}
	return below
}
