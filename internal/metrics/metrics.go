// Package metrics lists what a store counts, for the packages that export it, so
// that a metric has one text and one value wherever it is exported.
package metrics

import (
	"slices"
	"sync"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/backend"
)

// A Metric is one figure of a store.
type Metric struct {
	Prometheus, OpenTelemetry string // its names; "" where it is not exported
	Unit                      string // as OpenTelemetry writes it
	Kind                      Kind
	Tier                      string // the value of the label "tier", if it has it
	Help                      string

	value     func(*reading) float64           // of a Histogram: the sum of its durations, in seconds
	durations func(*reading) backend.Durations // of a Histogram
}

// A Kind is how the values of a metric may change.
type Kind int

const (
	Counter   Kind = iota // it only rises
	Amount                // it rises and falls, and can be summed over processes
	State                 // it cannot be summed
	Histogram             // how long operations took
)

// All are the metrics of caches, of the store and of the backend, in that order.
func All() []*Metric { return slices.Concat(ofCache, ofStore, ofBackend) }

// PerCache reports whether each cache has a value of m.
func (m *Metric) PerCache() bool { return slices.Contains(ofCache, m) }

// A Sample is the value of a metric at one moment.
type Sample struct {
	*Metric
	Cache     string // the name of the cache, "" if the metric is not PerCache
	Value     float64
	Durations backend.Durations // of a Histogram, whose Value is the sum of them in seconds
}

// A Reader reads the metrics of a store. It is safe for concurrent use.
type Reader struct {
	store *txcache.Store

	mu      sync.Mutex
	highest map[series]float64 // that counters have been
}

// A series is a metric of one cache, or of none.
type series struct {
	metric *Metric
	cache  string
}

// A reading has what metrics are taken from.
type reading struct {
	txcache.Stats  // of one cache, or of none
	txcache.Status // with that of the backend
}

// NewReader returns a reader of the metrics of store.
func NewReader(store *txcache.Store) *Reader {
	return &Reader{store: store, highest: map[series]float64{}}
}

// Read returns a sample of each metric that the store has now. It reads the
// counts once, and does not call the backend.
func (r *Reader) Read() []Sample {
	var all []Sample
	for stats := range r.store.Stats() {
		all = r.add(all, ofCache, reading{Stats: stats})
	}
	of := reading{Status: r.store.Status()}
	all = r.add(all, ofStore, of)
	if of.Backend != nil {
		all = r.add(all, ofBackend, of)
	}
	return all
}

// add appends a sample of each of metrics. A counter's is the highest value that
// it has had: counts are read one after another while others count, so that a sum
// or a difference of them may go down for a moment, which would be taken for a
// counter that began anew.
func (r *Reader) add(to []Sample, metrics []*Metric, of reading) []Sample {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, m := range metrics {
		s := Sample{Metric: m, Cache: of.Name, Value: m.value(&of)}
		switch m.Kind {
		case Counter:
			key := series{m, of.Name}
			s.Value = max(s.Value, r.highest[key])
			r.highest[key] = s.Value
		case Histogram:
			s.Durations = m.durations(&of)
		}
		to = append(to, s)
	}
	return to
}
