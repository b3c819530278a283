package txprometheus

import (
	"reflect"
	"testing"

	dto "github.com/prometheus/client_model/go"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/txcachetest"
)

// What is counted is exported: with any one field set, a metric is not zero.
func TestEveryFieldHasAMetric(t *testing.T) {
	exported(t, ofCache, "Name") // the label
	exported(t, ofStore, "Backend")
	exported(t, ofBackend, "Staleness") // it is in that of the store
	var stats txcache.Stats
	stats.RemoteHits, stats.Hits = 3, 5
	if process, remote := ofCache[0].value(stats), ofCache[1].value(stats); process != 2 || remote != 3 {
		t.Errorf("hits of tiers %q and %q are %v and %v; want 2 and 3", ofCache[0].tier, ofCache[1].tier, process, remote)
	}
}

func exported[S any](t *testing.T, metrics []metric[S], except ...string) {
	t.Helper()
fields:
	for _, field := range reflect.VisibleFields(reflect.TypeFor[S]()) {
		for _, name := range except {
			if field.Name == name {
				continue fields
			}
		}
		var s S
		switch v := reflect.ValueOf(&s).Elem().FieldByIndex(field.Index); {
		case v.CanUint():
			v.SetUint(7)
		case v.CanInt():
			v.SetInt(7)
		case v.Kind() == reflect.Bool:
			v.SetBool(true)
		default:
			t.Errorf("%T.%s: %s has no metric", s, field.Name, v.Type())
		}
		for _, m := range metrics {
			if m.kind == summary {
				if count, sum := m.observed(s); count != 0 || sum != 0 {
					continue fields
				}
			} else if m.value(s) != 0 {
				continue fields
			}
		}
		t.Errorf("%T.%s has no metric", s, field.Name)
	}
}

// Stats are read one after another: evictions that move when a generation ends
// can be missed for once, and a remote hit be seen before the hit that it is.
func TestCountersNeverGoDown(t *testing.T) {
	c := NewCollector(txcachetest.Memory(t), nil).(*collector)
	seen := func(name, tier string, s txcache.Stats) float64 {
		t.Helper()
		for _, d := range c.ofCache {
			if d.name == name && d.tier == tier {
				var m dto.Metric
				if err := sample(c, d, s, s.Name).Write(&m); err != nil {
					t.Fatal(err)
				}
				return m.GetCounter().GetValue()
			}
		}
		t.Fatalf("no metric %s", name)
		return 0
	}
	for _, step := range []struct {
		name, tier string
		stats      txcache.Stats
		want       float64
	}{
		{"evictions_total", "", txcache.Stats{Name: "users", Evictions: 9}, 9},
		{"evictions_total", "", txcache.Stats{Name: "users", Evictions: 4}, 9},
		{"evictions_total", "", txcache.Stats{Name: "prices", Evictions: 4}, 4},
		{"evictions_total", "", txcache.Stats{Name: "users", Evictions: 11}, 11},
		{"hits_total", "process", txcache.Stats{Name: "users", Hits: 5}, 5},
		{"hits_total", "process", txcache.Stats{Name: "users", Hits: 5, RemoteHits: 1}, 5},
		{"hits_total", "process", txcache.Stats{Name: "users", Hits: 5, RemoteHits: 6}, 5},
		{"hits_total", "remote", txcache.Stats{Name: "users", Hits: 5, RemoteHits: 6}, 6},
	} {
		if got := seen(step.name, step.tier, step.stats); got != step.want {
			t.Errorf("%s of %+v is %v, want %v", step.name, step.stats, got, step.want)
		}
	}
}
