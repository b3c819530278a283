package transaction

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/seed-dad15c92/txcache/internal/near"
)

// ttl returns how long a value, or an absence, of the cache stays valid at most after
// it was set; 0 for ever.
func (c *Core) ttl(absent bool) time.Duration {
	if absent && c.absence > 0 && (c.lifetime == 0 || c.absence < c.lifetime) {
		return c.absence
	}
	return c.lifetime
}

// expiry returns when an entry that is set now expires, as near.Now counts; 0 for
// never. life is how long it lives, 0 for as long as others of the cache; if it is
// negative, the entry is gone, and of no use as an expired one either.
func (c *Core) expiry(life time.Duration, absent bool) int64 {
	lifetime := life
	switch {
	case life < 0:
		return near.In(math.MinInt64)
	case life > 0:
		c.live()
	default:
		if lifetime = c.ttl(absent); lifetime == 0 {
			return 0
		}
	}
	if c.jitter > 0 {
		lifetime -= time.Duration(c.jitter * rand.Float64() * float64(lifetime))
	}
	return near.In(lifetime)
}

// live notes that values of the cache have lives of their own: the moment when a transaction
// began is too coarse for these, and so is the clock of another process. The caller must call it
// before others can find such a value.
func (c *Core) live() {
	if !c.lived.Load() {
		c.limited.Store(false)
		c.timed.Store(c.Store.timed != nil)
		c.lived.Store(true)
	}
}
