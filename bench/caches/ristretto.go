package caches

import (
	"time"

	"github.com/dgraph-io/ristretto/v2"
)

type ristrettoCache struct {
	*ristretto.Cache[string, int]
	duration time.Duration
}

// openRistretto opens it as its documentation has it: ten counters for an
// entry, each of which costs 1.
func openRistretto(o Options) (Local, error) {
	c, err := ristretto.NewCache(&ristretto.Config[string, int]{
		NumCounters:        10 * int64(o.Size),
		MaxCost:            int64(o.Size),
		BufferItems:        64,
		IgnoreInternalCost: true,
	})
	return ristrettoCache{c, o.Duration}, err
}

func (c ristrettoCache) Session() Session           { return c }
func (c ristrettoCache) Get(key string) (int, bool) { return c.Cache.Get(key) }
func (c ristrettoCache) Set(key string, value int)  { c.SetWithTTL(key, value, 1, c.duration) }

func (c ristrettoCache) Clear() error {
	c.Cache.Clear()
	return nil
}

func (c ristrettoCache) Hits(keys []string, from, n int) (sum uint64, misses int) {
	for i := range n {
		v, ok := c.Cache.Get(keys[(from+i)&(len(keys)-1)])
		if !ok {
			misses++
		}
		sum += uint64(v)
	}
	return sum, misses
}
