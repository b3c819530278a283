package querytest

import (
	"fmt"
	"slices"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/histogram"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb/chunkenc"
	"github.com/prometheus/prometheus/tsdb/chunks"
	"github.com/prometheus/prometheus/util/annotations"
)

// interval is between two samples of a series.
const interval = time.Minute

// A memory is what a Prometheus server has scraped.
type memory map[string]*samples

type samples struct {
	labels labels.Labels
	points []chunks.Sample
}

func (m memory) add(l labels.Labels, at time.Time, value float64) {
	s := m[l.String()]
	if s == nil {
		s = &samples{labels: l}
		m[l.String()] = s
	}
	s.points = append(s.points, sample{at.UnixMilli(), value})
}

// scrape adds what a collector gave, as a target of that job and instance.
func (m memory) scrape(families []*dto.MetricFamily, at time.Time) {
	for _, f := range families {
		for _, point := range f.GetMetric() {
			b := labels.NewScratchBuilder(8)
			b.Add("job", "shop")
			b.Add("instance", "localhost:8080")
			for _, l := range point.GetLabel() {
				b.Add(l.GetName(), l.GetValue())
			}
			set := func(name string, value float64) {
				b.Sort()
				m.add(labels.NewBuilder(b.Labels()).Set(model.MetricNameLabel, name).Labels(), at, value)
			}
			switch f.GetType() {
			case dto.MetricType_COUNTER:
				set(f.GetName(), point.GetCounter().GetValue())
			case dto.MetricType_GAUGE:
				set(f.GetName(), point.GetGauge().GetValue())
			case dto.MetricType_HISTOGRAM:
				h := point.GetHistogram()
				set(f.GetName()+"_count", float64(h.GetSampleCount()))
				set(f.GetName()+"_sum", h.GetSampleSum())
				series := labels.NewBuilder(b.Labels()).Set(model.MetricNameLabel, f.GetName()+"_bucket")
				for _, bucket := range h.GetBucket() {
					m.add(series.Set(model.BucketLabel, fmt.Sprint(bucket.GetUpperBound())).Labels(), at, float64(bucket.GetCumulativeCount()))
				}
				m.add(series.Set(model.BucketLabel, "+Inf").Labels(), at, float64(h.GetSampleCount()))
			}
		}
	}
}

// has reports whether any series has that metric name and, unless it is "",
// that label.
func (m memory) has(metric, label string) bool {
	for _, s := range m {
		if s.labels.Get(model.MetricNameLabel) == metric && (label == "" || s.labels.Has(label)) {
			return true
		}
	}
	return false
}

// Querier implements storage.Queryable.
func (m memory) Querier(int64, int64) (storage.Querier, error) {
	return &storage.MockQuerier{SelectMockFunction: func(_ bool, _ *storage.SelectHints, matchers ...*labels.Matcher) storage.SeriesSet {
		var found []storage.Series
		for _, s := range m {
			if !slices.ContainsFunc(matchers, func(l *labels.Matcher) bool { return !l.Matches(s.labels.Get(l.Name)) }) {
				found = append(found, storage.NewListSeries(s.labels, s.points))
			}
		}
		return &set{series: found}
	}}, nil
}

// A set implements storage.SeriesSet.
type set struct {
	series []storage.Series
	next   int
}

func (s *set) Next() bool                        { s.next++; return s.next <= len(s.series) }
func (s *set) At() storage.Series                { return s.series[s.next-1] }
func (s *set) Err() error                        { return nil }
func (s *set) Warnings() annotations.Annotations { return nil }

var promQL = parser.NewParser(parser.Options{})

// query returns the value of an expression at a time.
func (m memory) query(t *testing.T, expr string, at time.Time) promql.Vector {
	t.Helper()
	engine := promql.NewEngine(promql.EngineOpts{MaxSamples: 1e6, Timeout: time.Minute, Parser: promQL})
	q, err := engine.NewInstantQuery(t.Context(), m, nil, expr, at)
	if err != nil {
		t.Fatalf("%s: %v", expr, err)
	}
	defer q.Close()
	result := q.Exec(t.Context())
	vector, err := result.Vector()
	if err != nil {
		t.Fatalf("%s: %v", expr, err)
	}
	return vector
}

// sample implements chunks.Sample.
type sample struct {
	t int64
	v float64
}

func (s sample) T() int64                      { return s.t }
func (s sample) ST() int64                     { return 0 }
func (s sample) F() float64                    { return s.v }
func (s sample) H() *histogram.Histogram       { return nil }
func (s sample) FH() *histogram.FloatHistogram { return nil }
func (s sample) Type() chunkenc.ValueType      { return chunkenc.ValFloat }
func (s sample) Copy() chunks.Sample           { return s }
