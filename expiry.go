package txcache

import (
	"math/rand/v2"
	"time"

	"github.com/seed-dad15c92/txcache/internal/near"
)

// expiry returns when what is set now expires, as near.Now counts; 0 for never.
func (c *core) expiry(absent bool) int64 {
	lifetime := c.lifetime
	if absent && c.absence > 0 && (lifetime == 0 || c.absence < lifetime) {
		lifetime = c.absence
	}
	if lifetime == 0 {
		return 0
	}
	if c.jitter > 0 {
		lifetime -= time.Duration(c.jitter * rand.Float64() * float64(lifetime))
	}
	return near.In(lifetime)
}
