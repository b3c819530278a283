package near

import (
	"math"
	"testing"
)

func TestAWeightIsAboutTheBytes(t *testing.T) {
	last := 0
	check := func(bytes int) {
		t.Helper()
		got := weightOf(bytes).bytes()
		if got > bytes || bytes-got > bytes/2048 || got < last {
			t.Fatalf("%d bytes weigh %d, and fewer weighed %d", bytes, got, last)
		}
		last = got
	}
	for bytes := range 100_000 {
		check(bytes)
	}
	for bytes := 100_000; bytes < mostWeight; bytes += bytes / 1000 {
		check(bytes)
	}
	check(mostWeight)
	for _, bytes := range []int{mostWeight + 1, math.MaxInt, math.MinInt, -1} {
		if got := weightOf(bytes).bytes(); got != mostWeight {
			t.Errorf("%d bytes weigh %d", bytes, got)
		}
	}
}
