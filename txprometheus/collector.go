package txprometheus

import (
	"errors"
	"fmt"
	"maps"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/backend"
)

// Options are the settings of a collector. The zero value of each field, and a
// nil *Options, stand for the default.
type Options struct {
	// ConstLabels are added to every metric. A process with several stores gives
	// each collector other values of the same labels, such as store="main". The
	// names "cache" and "tier" are taken. The default is none.
	ConstLabels prometheus.Labels
}

// NewCollector returns a collector of what store counts. opts may be nil. It is
// safe for concurrent use, also while the store is used and after it was closed.
//
// Each scrape reads the counts once. Like [txcache.Store.Stats], which it calls,
// it looks at every database that the process has used: the time it takes grows
// with their number, the number of time series with that of the caches alone. It
// does not call the backend, whose metrics are there if it implements
// [backend.Observed]; that of class memory does not.
//
// What cannot be, such as a nil store, is an error of Register.
func NewCollector(store *txcache.Store, opts *Options) prometheus.Collector {
	if store == nil {
		return unusable{errors.New("txprometheus: NewCollector needs a store; it got nil")}
	}
	var labels prometheus.Labels
	if opts != nil {
		labels = opts.ConstLabels
	}
	for _, name := range []string{"cache", "tier"} {
		if _, taken := labels[name]; taken {
			return unusable{fmt.Errorf("txprometheus: Options.ConstLabels has %q, which is a label of the metrics themselves; name it otherwise", name)}
		}
	}
	return &collector{
		store:     store,
		ofCache:   describe(ofCache, labels, "cache"),
		ofStore:   describe(ofStore, labels),
		ofBackend: describe(ofBackend, labels),
		highest:   map[series]float64{},
	}
}

type collector struct {
	store     *txcache.Store
	ofCache   []described[txcache.Stats]
	ofStore   []described[txcache.Status]
	ofBackend []described[backend.Stats]

	mu      sync.Mutex
	highest map[series]float64 // that counters have been
}

// A described metric is one with what Prometheus is told of it.
type described[S any] struct {
	metric[S]
	desc *prometheus.Desc
}

// A series is a metric of one cache, or of none.
type series struct {
	desc  *prometheus.Desc
	cache string
}

func describe[S any](metrics []metric[S], labels prometheus.Labels, variable ...string) []described[S] {
	all := make([]described[S], len(metrics))
	for i, m := range metrics {
		constant := maps.Clone(labels)
		if m.tier != "" {
			if constant == nil {
				constant = prometheus.Labels{}
			}
			constant["tier"] = m.tier
		}
		all[i] = described[S]{m, prometheus.NewDesc("txcache_"+m.name, m.help, variable, constant)}
	}
	return all
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range c.ofCache {
		ch <- d.desc
	}
	for _, d := range c.ofStore {
		ch <- d.desc
	}
	for _, d := range c.ofBackend {
		ch <- d.desc
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	for stats := range c.store.Stats() {
		for _, d := range c.ofCache {
			ch <- sample(c, d, stats, stats.Name)
		}
	}
	status := c.store.Status()
	for _, d := range c.ofStore {
		ch <- sample(c, d, status, "")
	}
	if status.Backend == nil {
		return
	}
	for _, d := range c.ofBackend {
		ch <- sample(c, d, *status.Backend, "")
	}
}

// sample returns what d is in s, of a cache unless that is "".
func sample[S any](c *collector, d described[S], s S, cache string) prometheus.Metric {
	var labels []string
	if cache != "" {
		labels = []string{cache}
	}
	var m prometheus.Metric
	var err error
	switch d.kind {
	case summary:
		count, sum := d.observed(s)
		m, err = prometheus.NewConstSummary(d.desc, count, sum, nil, labels...)
	case gauge:
		m, err = prometheus.NewConstMetric(d.desc, prometheus.GaugeValue, d.value(s), labels...)
	default:
		value := c.rising(series{d.desc, cache}, d.value(s))
		m, err = prometheus.NewConstMetric(d.desc, prometheus.CounterValue, value, labels...)
	}
	if err != nil {
		return prometheus.NewInvalidMetric(d.desc, err)
	}
	return m
}

// rising returns the highest value that a counter has had. Stats are read one
// after another while others count, so that a sum or a difference of them may go
// down for a moment, which Prometheus would take for a counter that began anew.
func (c *collector) rising(s series, value float64) float64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	value = max(value, c.highest[s])
	c.highest[s] = value
	return value
}

// unusable is a collector that cannot be registered.
type unusable struct{ err error }

func (u unusable) Describe(ch chan<- *prometheus.Desc) { ch <- prometheus.NewInvalidDesc(u.err) }

func (u unusable) Collect(ch chan<- prometheus.Metric) {
	ch <- prometheus.NewInvalidMetric(prometheus.NewInvalidDesc(u.err), u.err)
}
