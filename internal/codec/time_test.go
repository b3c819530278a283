package codec_test

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/seed-dad15c92/txcache/internal/codec"
)

// berlin is a location with two offsets, known by its name.
func berlin(t testing.TB) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Skip("this machine knows no time zones: ", err)
	}
	return loc
}

// setLocal makes loc the location of the process until the test ends. No test of
// this package runs beside another one.
func setLocal(t *testing.T, loc *time.Location) {
	t.Helper()
	old := time.Local
	t.Cleanup(func() { time.Local = old })
	time.Local = loc
}

func TestATimeComesBackInItsZone(t *testing.T) {
	tokyo := time.FixedZone("JST", 9*3600)
	instant := time.Date(2026, 3, 1, 2, 0, 0, 123456789, time.UTC)
	for _, loc := range []*time.Location{
		time.UTC, time.Local, tokyo, time.FixedZone("", -3600), time.FixedZone("UTC", 0), time.FixedZone("UTC", 7200), time.FixedZone("Local", 60),
		time.FixedZone("CET", 3600), time.FixedZone("Europe/Berlin", 17), time.FixedZone("LMT", 3208), time.FixedZone("a\x00\xff", -1), berlin(t),
	} {
		for _, v := range []time.Time{
			instant, instant.AddDate(0, 6, 0), instant.Truncate(time.Second), time.Unix(0, 0), time.Unix(-1<<33, 1), {},
			time.Date(-9999, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(292277024627, 1, 1, 0, 0, 0, 0, time.UTC), time.Now(),
		} {
			v := v.In(loc)
			want := v.Round(0) // without the monotonic reading
			for name, got := range map[string]time.Time{
				"plain": trip(t, v), "defined": time.Time(trip(t, stamp(v))), "in an interface": trip[any](t, v).(time.Time),
				"in a struct": trip(t, Audited{At: v}).At, "by pointer": *trip(t, &v),
			} {
				if !reflect.DeepEqual(got, want) {
					t.Errorf("%v in %s came back %s as %v in %s", v, loc, name, got, got.Location())
				}
				for _, layout := range []string{time.RFC3339Nano, time.RFC850} {
					if got.Format(layout) != v.Format(layout) {
						t.Errorf("%s came back %s as %s", v.Format(layout), name, got.Format(layout))
					}
				}
			}
		}
	}
	if trip(t, instant.In(tokyo)) != trip(t, instant.In(time.FixedZone("JST", 9*3600))) {
		t.Error("two times of one zone come back as two by ==")
	}
}

// The location of one process is not that of another.
func TestALocalTimeKeepsItsOffsetElsewhere(t *testing.T) {
	c := codec.New[time.Time]()
	instant := time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC)
	there := time.FixedZone("JST", 9*3600)
	for _, here := range []*time.Location{time.UTC, berlin(t), time.FixedZone("KST", 9*3600), time.FixedZone("JST", 8*3600), there} {
		setLocal(t, there)
		data, err := c.Append(nil, instant.In(time.Local), time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		setLocal(t, here)
		got, _, err := c.Decode(data)
		if err != nil || got.Format(time.RFC850) != instant.In(there).Format(time.RFC850) {
			t.Errorf("where the location is %s, the time is %s, %v", here, got.Format(time.RFC850), err)
		}
		if (got.Location() == time.Local) != (here == there) {
			t.Errorf("where the location is %s, that of the time is %s", here, got.Location())
		}
	}
}

// A key that comes back in another location is another key to Go.
func TestATimeIsFoundAsAKeyOrNotShared(t *testing.T) {
	type key struct{ At any }
	instant := time.Date(2026, 3, 1, 2, 0, 0, 5, time.UTC)
	same(t, map[time.Time]int{instant: 1, {}: 2})
	same(t, map[stamp]int{stamp(instant): 1})
	same(t, map[any]int{instant: 1})
	same(t, map[string]time.Time{"": instant.In(time.FixedZone("X", 1))})
	for _, loc := range []*time.Location{time.Local, time.FixedZone("X", 3600), time.FixedZone("UTC", 0), berlin(t)} {
		const reason = "outside of UTC"
		wantUnsupported(t, codec.New[map[time.Time]int](), map[time.Time]int{instant.In(loc): 1}, reason)
		wantUnsupported(t, codec.New[map[stamp]int](), map[stamp]int{stamp(instant.In(loc)): 1}, reason)
		wantUnsupported(t, codec.New[map[key]int](), map[key]int{{instant.In(loc)}: 1}, reason)
		wantUnsupported(t, codec.New[[]map[[1]time.Time]int](), []map[[1]time.Time]int{nil, {{instant.In(loc)}: 1}}, reason)
	}
}

// Whatever names payloads bring, what is remembered of them has an end.
func TestManyLocationsComeBack(t *testing.T) {
	instant := time.Date(2026, 3, 1, 2, 0, 0, 5, time.UTC)
	for i := range 1500 {
		v := instant.In(time.FixedZone(fmt.Sprint("zone ", i), i))
		if got := trip(t, v); !reflect.DeepEqual(got, v) {
			t.Fatalf("%v came back as %v", v, got)
		}
	}
	if n := codec.Remembered(); n > 2048 {
		t.Errorf("%d locations are remembered", n)
	}
	c := codec.New[time.Time]()
	form, err := c.Append(nil, instant.In(berlin(t)), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 1500 {
		data := append([]byte{}, form...)
		copy(data[len(data)-6:], fmt.Sprintf("%06d", i))
		if got, _, err := c.Decode(data); err != nil || got.Format(time.RFC850) != instant.In(berlin(t)).Format(time.RFC850) {
			t.Fatalf("in an unknown location, the time is %v, %v", got, err)
		}
	}
	if n := codec.Remembered(); n > 2048 {
		t.Errorf("%d locations are remembered", n)
	}
}
