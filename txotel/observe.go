package txotel

import (
	"context"
	"errors"
	"slices"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/internal/metrics"
)

// Observe registers instruments for what store counts, until stop is called.
// A nil mp is the global MeterProvider. The attributes are added to all that is
// observed; a process with several stores tells them apart by one.
//
// Metrics of caches have the attribute txcache.cache, and txcache.hits has
// txcache.tier: "process" for what was in the transaction or the near cache,
// "remote" for what was in the backend. Every value is the sum over all
// databases: a time series for each of them would be too many.
//
// Each collection reads the counts once. Like [txcache.Store.Stats], which it
// calls, it looks at every database that the process has used. Histograms come by a
// [Producer], as no instrument takes what was counted already. Observe does not call
// the backend, whose metrics are there if it implements backend.Observed; that
// of class memory does not. The store may be used meanwhile, and may be closed.
func Observe(store *txcache.Store, mp metric.MeterProvider, attributes ...attribute.KeyValue) (stop func() error, err error) {
	if store == nil {
		return nil, errors.New("txotel: Observe needs a store; it got nil")
	}
	if mp == nil {
		mp = otel.GetMeterProvider()
	}
	meter := mp.Meter(scope)
	instruments := map[*metrics.Metric]metric.Observable{}
	var observables []metric.Observable
	for _, m := range metrics.All() {
		if m.OpenTelemetry == "" || m.Kind == metrics.Histogram {
			continue
		}
		instrument, err := newInstrument(meter, m)
		if err != nil {
			return nil, err
		}
		instruments[m] = instrument
		observables = append(observables, instrument)
	}
	reader := metrics.NewReader(store)
	registration, err := meter.RegisterCallback(func(_ context.Context, to metric.Observer) error {
		for _, s := range reader.Read() {
			observe(to, instruments[s.Metric], s, attributes)
		}
		return nil
	}, observables...)
	if err != nil {
		return nil, err
	}
	return registration.Unregister, nil
}

// newInstrument returns what m is observed by: floats for seconds and states,
// integers for what is counted.
func newInstrument(meter metric.Meter, m *metrics.Metric) (metric.Observable, error) {
	unit, help := metric.WithUnit(m.Unit), metric.WithDescription(m.Help)
	switch {
	case m.Kind == metrics.State:
		return meter.Float64ObservableGauge(m.OpenTelemetry, unit, help)
	case m.Kind == metrics.Amount:
		return meter.Int64ObservableUpDownCounter(m.OpenTelemetry, unit, help)
	case m.Unit == "s":
		return meter.Float64ObservableCounter(m.OpenTelemetry, unit, help)
	default:
		return meter.Int64ObservableCounter(m.OpenTelemetry, unit, help)
	}
}

// observe tells to what s is, unless by is nil: the metric is not exported.
func observe(to metric.Observer, by metric.Observable, s metrics.Sample, attributes []attribute.KeyValue) {
	with := metric.WithAttributes(attributesOf(s, attributes)...)
	switch by := by.(type) {
	case metric.Int64Observable:
		to.ObserveInt64(by, int64(s.Value), with)
	case metric.Float64Observable:
		to.ObserveFloat64(by, s.Value, with)
	}
}

// attributesOf returns those of s, and the others.
func attributesOf(s metrics.Sample, others []attribute.KeyValue) []attribute.KeyValue {
	attributes := slices.Clip(others)
	if s.Cache != "" {
		attributes = append(attributes, attribute.String("txcache.cache", s.Cache))
	}
	if s.Tier != "" {
		attributes = append(attributes, attribute.String("txcache.tier", s.Tier))
	}
	return attributes
}
