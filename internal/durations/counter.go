// Package durations counts how long operations take.
package durations

import (
	"sync/atomic"
	"time"

	"github.com/seed-dad15c92/txcache/backend"
)

// A Counter counts operations by how long they took. The zero value is ready. It is
// safe for concurrent use; nothing locks or allocates. It is for what takes longer than
// a look-up in the process: all goroutines share it.
type Counter struct {
	counts [len(backend.Durations{})]atomic.Uint64
	sum    atomic.Int64 // in nanoseconds
}

// Count counts an operation.
func (c *Counter) Count(took time.Duration) {
	c.sum.Add(int64(took))
	c.counts[backend.DurationIndex(took)].Add(1)
}

// Sum returns how long all operations took together.
func (c *Counter) Sum() time.Duration { return time.Duration(c.sum.Load()) }

// Durations returns how long each took.
func (c *Counter) Durations() (d backend.Durations) {
	for i := range c.counts {
		d[i] = c.counts[i].Load()
	}
	return d
}
