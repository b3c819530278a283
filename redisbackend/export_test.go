package redisbackend

import "time"

// StandStill lets the time d pass, of which the monotonic clock of b shows nothing afterwards, as
// if its machine had been suspended.
func (b *Backend) StandStill(d time.Duration) {
	time.Sleep(d)
	b.started = b.started.Add(d)
}

// SetWallClock sets the wall clock of b forward by d.
func (b *Backend) SetWallClock(d time.Duration) { b.wall -= int64(d) }
