package durations_test

import (
	"sync"
	"testing"
	"time"

	"github.com/seed-dad15c92/txcache/internal/durations"
)

func TestGoroutinesCountTogether(t *testing.T) {
	var c durations.Counter
	var work sync.WaitGroup
	for range 4 {
		work.Go(func() {
			for range 250 {
				c.Count(time.Millisecond)
				c.Count(time.Second)
			}
		})
	}
	work.Wait()
	d := c.Durations()
	if d.Total() != 2000 || d[15] != 1000 || c.Sum() != 1001*time.Second {
		t.Errorf("%d durations, %d of a second, %v together; want 2000, 1000, 16m41s", d.Total(), d[15], c.Sum())
	}
}

func TestCountingAllocatesNothing(t *testing.T) {
	var c durations.Counter
	if n := testing.AllocsPerRun(100, func() { c.Count(time.Millisecond) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
