package txotel

import (
	"reflect"
	"testing"

	"github.com/seed-dad15c92/txcache"
)

// What is counted is exported: with any one field set, a measure is not zero.
func TestEveryFieldHasAMeasure(t *testing.T) {
	exported(t, ofCache, "Name") // the attribute
	exported(t, ofStore, "Backend")
	exported(t, ofBackend, "Staleness") // it is in that of the store
	stats := txcache.Stats{Hits: 5, RemoteHits: 3}
	if process, remote := ofCache[0].counter(stats), ofCache[1].counter(stats); process != 2 || remote != 3 {
		t.Errorf("hits of tiers %q and %q are %v and %v; want 2 and 3", ofCache[0].tier, ofCache[1].tier, process, remote)
	}
}

func exported[S any](t *testing.T, measures []measure[S], except ...string) {
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
			t.Errorf("%T.%s: %s has no measure", s, field.Name, v.Type())
		}
		for _, m := range measures {
			if m.counter != nil && m.counter(s) != 0 || m.seconds != nil && m.seconds(s) != 0 ||
				m.amount != nil && m.amount(s) != 0 || m.state != nil && m.state(s) != 0 {
				continue fields
			}
		}
		t.Errorf("%T.%s has no measure", s, field.Name)
	}
}

// Stats are read one after another: evictions that move when a generation ends
// can be missed for once.
func TestCountersNeverGoDown(t *testing.T) {
	o := &observer{highest: map[series]uint64{}}
	users, prices := series{name: "txcache.evictions", cache: "users"}, series{name: "txcache.evictions", cache: "prices"}
	for _, step := range []struct {
		series
		value, want uint64
	}{{users, 9, 9}, {users, 4, 9}, {prices, 4, 4}, {users, 11, 11}} {
		if got := o.rising(step.series, step.value); got != step.want {
			t.Errorf("%v is %d after it was counted as %d, want %d", step.series, got, step.value, step.want)
		}
	}
}
