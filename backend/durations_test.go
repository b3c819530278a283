package backend_test

import (
	"math"
	"testing"
	"time"

	"github.com/seed-dad15c92/txcache/backend"
)

// Each duration is counted where the bounds say, and every bound is that of its index.
func TestDurationsAreCountedByTheirBounds(t *testing.T) {
	var d backend.Durations
	last := len(d) - 1
	for i := range last {
		bound := backend.DurationBound(i)
		if want := math.Floor(1e9 * math.Ldexp(1, i-15)); float64(bound) != want {
			t.Errorf("bound %d is %v, want %v ns", i, bound, want)
		}
		if at := backend.DurationIndex(bound); at != i {
			t.Errorf("%v is counted at %d, want %d", bound, at, i)
		}
		if at := backend.DurationIndex(bound + 1); at != i+1 {
			t.Errorf("%v is counted at %d, want %d", bound+1, at, i+1)
		}
	}
	for took, want := range map[time.Duration]int{0: 0, -time.Hour: 0, time.Second: 15, time.Hour: last, math.MaxInt64: last} {
		if at := backend.DurationIndex(took); at != want {
			t.Errorf("%v is counted at %d, want %d", took, at, want)
		}
	}
}

func TestWhatIsBeyondEveryBoundHasNone(t *testing.T) {
	for _, i := range []int{-1, len(backend.Durations{}) - 1, math.MaxInt} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("index %d has a bound", i)
				}
			}()
			backend.DurationBound(i)
		}()
	}
}
