package redisbackend_test

import (
	"math"
	"testing"
	"time"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/redistest"
)

// A fence of any lease stands, for the process that placed it and for others, also
// after another change; or it is refused. (P5)
func TestAFenceOfAnyLeaseStandsOrIsRefused(t *testing.T) {
	cfg := settings(redistest.Start(t).URI())
	b, other := open(t, cfg), open(t, cfg)
	for _, lease := range []time.Duration{
		math.MinInt64, -1, 0, 1, time.Millisecond - 1, time.Second, time.Hour, 365 * 24 * time.Hour,
		999_999_999_999 * time.Millisecond, 1_000_000_000_000 * time.Millisecond, math.MaxInt64 - 1, math.MaxInt64,
	} {
		name := lease.String()
		f := backend.Fence{ID: backend.NewToken(), Lease: lease, Caches: []backend.Generation{{Cache: "c"}}}
		err := b.Fence(t.Context(), name, f)
		if taken := lease >= time.Millisecond; taken != (err == nil) {
			t.Errorf("a fence of %v answers %v; want it to be taken: %v", lease, err, taken)
		}
		if err != nil {
			continue
		}
		mustClear(t, other, name, "another cache")
		for who, b := range map[string]backend.Backend{"its owner": b, "another": other} {
			s, err := b.Sync(t.Context(), name)
			if err != nil || !s.IsFenced("c") || s.AllFenced {
				t.Errorf("to %s, a fence of %v does not stand: %+v, %v", who, lease, s, err)
			}
		}
	}
}
