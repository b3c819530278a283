package txotel

import (
	"context"
	"errors"
	"slices"
	"sync"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/backend"
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
// calls, it looks at every database that the process has used. It does not call
// the backend, whose metrics are there if it implements [backend.Observed]; that
// of class memory does not. The store may be used meanwhile, and may be closed.
func Observe(store *txcache.Store, mp metric.MeterProvider, attributes ...attribute.KeyValue) (stop func() error, err error) {
	if store == nil {
		return nil, errors.New("txotel: Observe needs a store; it got nil")
	}
	if mp == nil {
		mp = otel.GetMeterProvider()
	}
	o := &observer{store: store, attributes: attributes, highest: map[series]uint64{}}
	meter := mp.Meter(scope)
	var errs [3]error
	o.ofCache, errs[0] = instruments(meter, ofCache)
	o.ofStore, errs[1] = instruments(meter, ofStore)
	o.ofBackend, errs[2] = instruments(meter, ofBackend)
	if err := errors.Join(errs[:]...); err != nil {
		return nil, err
	}
	all := slices.Concat(observables(o.ofCache), observables(o.ofStore), observables(o.ofBackend))
	registration, err := meter.RegisterCallback(o.observe, all...)
	if err != nil {
		return nil, err
	}
	return registration.Unregister, nil
}

type observer struct {
	store      *txcache.Store
	attributes []attribute.KeyValue
	ofCache    []instrument[txcache.Stats]
	ofStore    []instrument[txcache.Status]
	ofBackend  []instrument[backend.Stats]

	mu      sync.Mutex
	highest map[series]uint64 // that counters have been
}

// A series is a measure of one cache, or of none.
type series struct{ name, tier, cache string }

// An instrument is a measure with what it is observed by.
type instrument[S any] struct {
	measure[S]
	ints   metric.Int64Observable // one of both is not nil
	floats metric.Float64Observable
}

func instruments[S any](meter metric.Meter, measures []measure[S]) ([]instrument[S], error) {
	all := make([]instrument[S], len(measures))
	for i, m := range measures {
		n := instrument[S]{measure: m}
		var err error
		unit, help := metric.WithUnit(m.unit), metric.WithDescription(m.help)
		switch {
		case m.counter != nil:
			n.ints, err = meter.Int64ObservableCounter(m.name, unit, help)
		case m.seconds != nil:
			n.floats, err = meter.Float64ObservableCounter(m.name, unit, help)
		case m.amount != nil:
			n.ints, err = meter.Int64ObservableUpDownCounter(m.name, unit, help)
		default:
			n.floats, err = meter.Float64ObservableGauge(m.name, unit, help)
		}
		if err != nil {
			return nil, err
		}
		all[i] = n
	}
	return all, nil
}

func observables[S any](instruments []instrument[S]) []metric.Observable {
	var all []metric.Observable
	for _, n := range instruments {
		if n.ints != nil {
			all = append(all, n.ints)
		} else {
			all = append(all, n.floats)
		}
	}
	return all
}

// observe is called for each collection.
func (o *observer) observe(_ context.Context, to metric.Observer) error {
	for stats := range o.store.Stats() {
		for _, n := range o.ofCache {
			report(o, to, n, stats, stats.Name)
		}
	}
	status := o.store.Status()
	for _, n := range o.ofStore {
		report(o, to, n, status, "")
	}
	if status.Backend == nil {
		return nil
	}
	for _, n := range o.ofBackend {
		report(o, to, n, *status.Backend, "")
	}
	return nil
}

// report tells what n is in s, of a cache unless that is "".
func report[S any](o *observer, to metric.Observer, n instrument[S], s S, cache string) {
	attributes := slices.Clip(o.attributes)
	if cache != "" {
		attributes = append(attributes, attribute.String("txcache.cache", cache))
	}
	if n.tier != "" {
		attributes = append(attributes, attribute.String("txcache.tier", n.tier))
	}
	with := metric.WithAttributes(attributes...)
	switch {
	case n.counter != nil:
		to.ObserveInt64(n.ints, int64(o.rising(series{n.name, n.tier, cache}, n.counter(s))), with)
	case n.seconds != nil:
		to.ObserveFloat64(n.floats, n.seconds(s), with)
	case n.amount != nil:
		to.ObserveInt64(n.ints, n.amount(s), with)
	default:
		to.ObserveFloat64(n.floats, n.state(s), with)
	}
}

// rising returns the highest value that a counter has had. Stats are read one
// after another while others count, so that a sum or a difference of them may go
// down for a moment, which would be taken for a counter that began anew.
func (o *observer) rising(s series, value uint64) uint64 {
	o.mu.Lock()
	defer o.mu.Unlock()
	value = max(value, o.highest[s])
	o.highest[s] = value
	return value
}
