package metrics

import (
	"reflect"
	"slices"
	"testing"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/backend"
)

// What is counted is exported to both: with any one field set, a metric is not zero.
func TestEveryFieldHasAMetric(t *testing.T) {
	for name, exported := range map[string]func(*Metric) bool{
		"Prometheus":    func(m *Metric) bool { return m.Prometheus != "" },
		"OpenTelemetry": func(m *Metric) bool { return m.OpenTelemetry != "" },
	} {
		t.Run(name, func(t *testing.T) {
			// Name is the label, and Staleness in that of the store; how many loads,
			// synchronisations and waits there were, their histograms count.
			every(t, ofCache, exported, func(r *reading) any { return &r.Stats }, "Name", "Loads")
			every(t, ofStore, exported, func(r *reading) any { return &r.Status }, "Backend")
			every(t, ofBackend, exported, func(r *reading) any { return r.Backend }, "Staleness", "Syncs", "Waits")
		})
	}
}

// every sets each field of the struct that of points to.
func every(t *testing.T, metrics []*Metric, exported func(*Metric) bool, of func(*reading) any, except ...string) {
	t.Helper()
	for _, field := range reflect.VisibleFields(reflect.TypeOf(of(&reading{})).Elem()) {
		if slices.Contains(except, field.Name) {
			continue
		}
		r := &reading{Status: txcache.Status{Backend: &backend.Stats{}}}
		switch v := reflect.ValueOf(of(r)).Elem().FieldByIndex(field.Index); {
		case v.CanUint():
			v.SetUint(7)
		case v.CanInt():
			v.SetInt(7)
		case v.Kind() == reflect.Bool:
			v.SetBool(true)
		case v.Kind() == reflect.Array: // of durations
			v.Index(3).SetUint(7)
		}
		if !slices.ContainsFunc(metrics, func(m *Metric) bool {
			return exported(m) && m.value(r) != 0 || exported(m) && m.Kind == Histogram && m.durations(r).Total() != 0
		}) {
			t.Errorf("%T.%s has no metric", of(r), field.Name)
		}
	}
}

// Stats are read one after another: evictions that move when a generation ends
// can be missed for once, and a remote hit be seen before the hit that it is.
func TestCountersNeverGoDown(t *testing.T) {
	reader := NewReader(nil)
	for _, step := range []struct {
		name, tier string
		stats      txcache.Stats
		want       float64
	}{
		{"txcache.evictions", "", txcache.Stats{Name: "users", Evictions: 9}, 9},
		{"txcache.evictions", "", txcache.Stats{Name: "users", Evictions: 4}, 9},
		{"txcache.evictions", "", txcache.Stats{Name: "prices", Evictions: 4}, 4},
		{"txcache.evictions", "", txcache.Stats{Name: "users", Evictions: 11}, 11},
		{"txcache.hits", "process", txcache.Stats{Name: "users", Hits: 5}, 5},
		{"txcache.hits", "process", txcache.Stats{Name: "users", Hits: 5, RemoteHits: 1}, 5},
		{"txcache.hits", "process", txcache.Stats{Name: "users", Hits: 5, RemoteHits: 6}, 5},
		{"txcache.hits", "remote", txcache.Stats{Name: "users", Hits: 5, RemoteHits: 6}, 6},
		{"txcache.hits", "process", txcache.Stats{Name: "prices", Hits: 5, RemoteHits: 3}, 2},
		{"txcache.near_values", "", txcache.Stats{Name: "users", Values: 9}, 9},
		{"txcache.near_values", "", txcache.Stats{Name: "users", Values: 4}, 4},
	} {
		samples := reader.add(nil, ofCache, reading{Stats: step.stats})
		i := slices.IndexFunc(samples, func(s Sample) bool { return s.OpenTelemetry == step.name && s.Tier == step.tier })
		if got := samples[i]; got.Value != step.want || got.Cache != step.stats.Name {
			t.Errorf("%s of %+v is %v of %q, want %v", step.name, step.stats, got.Value, got.Cache, step.want)
		}
	}
}
