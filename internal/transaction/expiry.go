package transaction

import (
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
// never.
func (c *Core) expiry(absent bool) int64 {
	lifetime := c.ttl(absent)
	if lifetime == 0 {
		return 0
	}
	if c.jitter > 0 {
		lifetime -= time.Duration(c.jitter * rand.Float64() * float64(lifetime))
	}
	return near.In(lifetime)
}
