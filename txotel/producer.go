package txotel

import (
	"context"
	"errors"
	"slices"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/sdk/instrumentation"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/internal/metrics"
)

// A Producer gives the histograms of a store: how long loads, commits, synchronisations
// and waits took. The store has counted these already, and no instrument takes what was
// counted, so a Producer gives them to the reader of the SDK itself, beside [Observe]:
//
//	reader := metric.NewPeriodicReader(exporter, metric.WithProducer(producer))
//
// It is safe for concurrent use, also while the store is used and after it was closed.
type Producer struct {
	reader     *metrics.Reader
	attributes []attribute.KeyValue
	start      time.Time
}

// NewProducer returns a Producer for store. The attributes are added to each histogram;
// a process with several stores tells them apart by one.
func NewProducer(store *txcache.Store, attributes ...attribute.KeyValue) (*Producer, error) {
	if store == nil {
		return nil, errors.New("txotel: NewProducer needs a store; it got nil")
	}
	return &Producer{metrics.NewReader(store), slices.Clone(attributes), time.Now()}, nil
}

// Produce implements the interface Producer of the SDK. Histograms are cumulative. Each
// call reads the counts once, as Observe does.
func (p *Producer) Produce(context.Context) ([]metricdata.ScopeMetrics, error) {
	now := time.Now()
	points := map[*metrics.Metric][]metricdata.HistogramDataPoint[float64]{}
	for _, s := range p.reader.Read() {
		if s.Kind == metrics.Histogram {
			points[s.Metric] = append(points[s.Metric], p.point(s, now))
		}
	}
	scoped := metricdata.ScopeMetrics{Scope: instrumentation.Scope{Name: scope}}
	for _, m := range metrics.All() {
		if data := points[m]; data != nil {
			scoped.Metrics = append(scoped.Metrics, metricdata.Metrics{
				Name:        m.OpenTelemetry,
				Description: m.Help,
				Unit:        m.Unit,
				Data:        metricdata.Histogram[float64]{DataPoints: data, Temporality: metricdata.CumulativeTemporality},
			})
		}
	}
	return []metricdata.ScopeMetrics{scoped}, nil
}

func (p *Producer) point(s metrics.Sample, now time.Time) metricdata.HistogramDataPoint[float64] {
	bounds := make([]float64, metrics.Bounds)
	for i := range bounds {
		bounds[i] = metrics.Bound(i)
	}
	return metricdata.HistogramDataPoint[float64]{
		Attributes:   attribute.NewSet(attributesOf(s, p.attributes)...),
		StartTime:    p.start,
		Time:         now,
		Count:        s.Durations.Total(),
		Sum:          s.Value,
		Bounds:       bounds,
		BucketCounts: s.Durations[:],
	}
}
