package txprometheus

import (
	"errors"
	"fmt"
	"maps"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/internal/metrics"
)

// Options are the settings of a collector. The zero value of each field, and a
// nil *Options, stand for the default.
type Options struct {
	// ConstLabels are added to every metric. A process with several stores gives
	// each collector other values of the same labels, such as store="main". The
	// names "cache", "tier" and "le" are taken. The default is none.
	ConstLabels prometheus.Labels

	// NativeHistograms adds native histograms to the classic ones. A Prometheus
	// server that is told to scrape native histograms then drops the classic ones,
	// which the dashboard and the alerts ask for, unless it is told to scrape these
	// too (always_scrape_classic_histograms). The default is classic ones alone.
	NativeHistograms bool
}

// NewCollector returns a collector of what store counts. opts may be nil. It is
// safe for concurrent use, also while the store is used and after it was closed.
//
// Each scrape reads the counts once. Like [txcache.Store.Stats], which it calls,
// it looks at every database that the process has used: the time it takes grows
// with their number, the number of time series with that of the caches alone. Durations
// are histograms with a bucket for each power of two of a second, or of four for those of
// caches. It does not call the backend, whose metrics are there if it implements
// backend.Observed; that of class memory does not.
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
	for _, name := range []string{"cache", "tier", "le"} {
		if _, taken := labels[name]; taken {
			return unusable{fmt.Errorf("txprometheus: Options.ConstLabels has %q, which is a label of the metrics themselves; name it otherwise", name)}
		}
	}
	c := &collector{reader: metrics.NewReader(store), descs: map[*metrics.Metric]*prometheus.Desc{}, native: opts != nil && opts.NativeHistograms}
	for _, m := range metrics.All() {
		if m.Prometheus == "" {
			continue
		}
		var variable []string
		if m.PerCache() {
			variable = []string{"cache"}
		}
		constant := prometheus.Labels{}
		maps.Copy(constant, labels)
		if m.Tier != "" {
			constant["tier"] = m.Tier
		}
		c.descs[m] = prometheus.NewDesc(m.Prometheus, m.Help, variable, constant)
	}
	return c
}

type collector struct {
	reader *metrics.Reader
	descs  map[*metrics.Metric]*prometheus.Desc
	native bool
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, m := range metrics.All() {
		if desc := c.descs[m]; desc != nil {
			ch <- desc
		}
	}
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	for _, s := range c.reader.Read() {
		if desc := c.descs[s.Metric]; desc != nil {
			ch <- export(desc, s, c.native)
		}
	}
}

func export(desc *prometheus.Desc, s metrics.Sample, native bool) prometheus.Metric {
	var labels []string
	if s.Cache != "" {
		labels = []string{s.Cache}
	}
	var m prometheus.Metric
	var err error
	switch s.Kind {
	case metrics.Histogram:
		if native {
			return newNative(desc, s, labels)
		}
		m, err = prometheus.NewConstHistogram(desc, s.Durations.Total(), s.Value, s.Classic(), labels...)
	case metrics.Counter:
		m, err = prometheus.NewConstMetric(desc, prometheus.CounterValue, s.Value, labels...)
	default:
		m, err = prometheus.NewConstMetric(desc, prometheus.GaugeValue, s.Value, labels...)
	}
	if err != nil {
		return prometheus.NewInvalidMetric(desc, err)
	}
	return m
}

// unusable is a collector that cannot be registered.
type unusable struct{ err error }

func (u unusable) Describe(ch chan<- *prometheus.Desc) { ch <- prometheus.NewInvalidDesc(u.err) }

func (u unusable) Collect(ch chan<- prometheus.Metric) {
	ch <- prometheus.NewInvalidMetric(prometheus.NewInvalidDesc(u.err), u.err)
}
