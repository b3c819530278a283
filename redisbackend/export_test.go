package redisbackend

import (
	"testing/synctest"
	"time"
)

// StandStill lets the time d of a bubble pass, of which the monotonic clock of b shows nothing
// afterwards, as if its machine had been suspended.
func (b *Backend) StandStill(d time.Duration) {
	time.Sleep(d)
	synctest.Wait() // nobody reads the clock
	b.started = b.started.Add(d)
}

// SetWallClock sets the wall clock of b, in a bubble, forward by d.
func (b *Backend) SetWallClock(d time.Duration) {
	synctest.Wait()
	b.wall -= int64(d)
}
