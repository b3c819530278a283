package txprometheus

import (
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/seed-dad15c92/txcache/internal/metrics"
)

// A native is a histogram in both forms. The client has constant ones of one form only.
type native struct {
	prometheus.Metric // the classic form
	sample            metrics.Sample
}

func newNative(desc *prometheus.Desc, s metrics.Sample, labels []string) prometheus.Metric {
	m, err := prometheus.NewConstHistogram(desc, s.Durations.Total(), s.Value, s.Classic(), labels...)
	if err != nil {
		return prometheus.NewInvalidMetric(desc, err)
	}
	return native{m, s}
}

// Write implements prometheus.Metric. Bucket i of schema 0 is for what is longer than
// 2 to the power of i-1 seconds and at most 2 to the power of i. What is at most the
// least bound is taken for zero, what is longer than the greatest for twice that at most.
func (m native) Write(to *dto.Metric) error {
	if err := m.Metric.Write(to); err != nil {
		return err
	}
	h, counts := to.Histogram, m.sample.Durations
	h.Schema = new(int32(0))
	h.ZeroThreshold = new(metrics.Bound(0))
	h.ZeroCount = new(counts[0])
	h.PositiveSpan = []*dto.BucketSpan{{Offset: new(int32(metrics.Least + 1)), Length: new(uint32(metrics.Bounds))}}
	before := int64(0)
	for _, n := range counts[1:] {
		h.PositiveDelta = append(h.PositiveDelta, int64(n)-before)
		before = int64(n)
	}
	return nil
}
