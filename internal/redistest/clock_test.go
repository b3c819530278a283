package redistest_test

import (
	"strconv"
	"testing"
	"time"

	"github.com/seed-dad15c92/txcache/internal/redistest"
)

// A server takes the time from its clock, in scripts and for the expiry of keys, and also
// after a restart.
func TestAClockThatIsSet(t *testing.T) {
	server, clock := redistest.StartWithClock(t)
	check := func(by time.Duration) {
		t.Helper()
		text := server.Do("eval", "return redis.call('TIME')[1]", 0).(string)
		seconds, _ := strconv.ParseInt(text, 10, 64)
		if off := time.Until(time.Unix(seconds, 0)) - by; off < -time.Minute || off > time.Minute {
			t.Errorf("with a clock that is wrong by %v the server says %v", by, time.Unix(seconds, 0))
		}
	}
	check(0)
	server.Do("set", "k", "v", "px", 60_000)
	for _, by := range []time.Duration{-15 * time.Minute, 15*time.Minute + 999_999*time.Microsecond} {
		clock.Set(by)
		check(by)
	}
	if server.Do("exists", "k") == int64(1) {
		t.Error("a key lives longer than a minute")
	}
	server.Restore(nil)
	check(15 * time.Minute)
	clock.Set(0)
	check(0)
}
