package backend

import "time"

// Durations tell how long operations took: Durations[i] of them took at most
// DurationBound(i), and longer than DurationBound(i-1). The last took longer than
// every bound. The zero value is that of no operations.
type Durations [durationBounds + 1]uint64

const (
	durationBounds = 22
	oneSecond      = 15 // the index of the bound that is a second
)

// DurationBound returns the longest duration that is counted at index i of Durations:
// a second times 2 to the power of i-15, rounded down to nanoseconds. It is 30 µs at 0
// and 64 s at the last but one. The last index has no bound, and DurationBound panics
// for it.
func DurationBound(i int) time.Duration {
	if i < 0 || i >= durationBounds {
		panic("txcache: no bound of durations has this index")
	}
	return time.Second << i >> oneSecond
}

// DurationIndex returns the index of Durations at which took is counted.
func DurationIndex(took time.Duration) int {
	for i := range durationBounds {
		if took <= DurationBound(i) {
			return i
		}
	}
	return durationBounds
}

// Total returns how many operations there were.
func (d Durations) Total() (n uint64) {
	for _, of := range d {
		n += of
	}
	return n
}
