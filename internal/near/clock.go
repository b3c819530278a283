package near

import (
	"math"
	"time"
)

// base is the moment from which Now counts. It carries a monotonic reading, so
// that setting the machine's clock makes no value expire sooner or later.
var base = time.Now()

// offset keeps Now positive within a testing/synctest bubble too, whose clock
// may stand decades before base. It leaves two centuries for expiries.
const offset = 1 << 61

// Now returns the moment in nanoseconds on the process's monotonic clock. It
// is always positive, and only comparable with other results of Now. Within a
// testing/synctest bubble it follows the bubble's clock.
func Now() int64 { return int64(time.Since(base)) + offset }

// In returns the moment that is d from now, as After does.
func In(d time.Duration) int64 { return After(Now(), d) }

// After returns the moment that is d after at. A moment that is too far away to be
// counted is the last one that can be, in two centuries, or the first one.
func After(at int64, d time.Duration) int64 {
	if int64(d) > math.MaxInt64-at {
		return math.MaxInt64
	}
	return max(at+int64(d), gone)
}
