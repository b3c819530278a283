package codec_test

import (
	"math"
	"testing"
	"time"

	"github.com/seed-dad15c92/txcache/internal/codec"
)

func TestExpiryIsKeptAndNeverLater(t *testing.T) {
	var (
		zone    = time.FixedZone("here", -3600)
		first   = time.Unix(0, math.MinInt64).UTC()
		last    = time.Unix(0, math.MaxInt64).UTC()
		instant = time.Date(2024, 2, 29, 23, 59, 59, 123456789, time.UTC)
		epoch   = time.Unix(0, 0).UTC()
	)
	for _, c := range []struct {
		name      string
		give, get time.Time
	}{
		{"never", time.Time{}, time.Time{}},
		{"never, elsewhere", time.Time{}.In(zone), time.Time{}},
		{"to the nanosecond", instant, instant},
		{"in UTC", instant.In(zone), instant},
		{"1970 is not never", epoch, epoch.Add(-1)},
		{"just before 1970", epoch.Add(-1), epoch.Add(-1)},
		{"just after 1970", epoch.Add(1), epoch.Add(1)},
		{"the last", last, last},
		{"after the last", last.Add(1), last},
		{"far after the last", time.Unix(math.MaxInt64/2, 0), last},
		{"the first", first, first},
		{"before the first", first.Add(-1), first},
		{"just after the zero time", time.Time{}.Add(1), first},
	} {
		cd := codec.New[string]()
		data, err := cd.Append(nil, "v", c.give)
		if err != nil {
			t.Fatal(err)
		}
		v, got, err := cd.Decode(data)
		if err != nil || v != "v" || got != c.get {
			t.Errorf("%s: %v came back as %v, want %v (%q, %v)", c.name, c.give, got, c.get, v, err)
		}
	}
}

func TestExpiryIsNotJudged(t *testing.T) {
	past := time.Unix(1, 0).UTC()
	cd := codec.New[int]()
	data, _ := cd.Append(nil, 1, past)
	if v, got, err := cd.Decode(data); v != 1 || got != past || err != nil {
		t.Errorf("got %v, %v, %v", v, got, err)
	}
}
