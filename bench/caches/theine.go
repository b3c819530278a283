package caches

import (
	"time"

	"github.com/Yiling-J/theine-go"
)

type theineCache struct {
	*theine.Cache[string, int]
	duration time.Duration
}

func openTheine(o Options) (Local, error) {
	c, err := theine.NewBuilder[string, int](int64(o.Size)).Build()
	return theineCache{c, o.Duration}, err
}

func (c theineCache) Session() Session           { return c }
func (c theineCache) Get(key string) (int, bool) { return c.Cache.Get(key) }
func (c theineCache) Set(key string, value int)  { c.SetWithTTL(key, value, 1, c.duration) }

// Clear deletes the keys when it has them all: Range holds a lock that Delete
// needs.
func (c theineCache) Clear() error {
	keys := make([]string, 0, c.Len())
	c.Range(func(key string, _ int) bool {
		keys = append(keys, key)
		return true
	})
	for _, key := range keys {
		c.Delete(key)
	}
	return nil
}

func (c theineCache) Hits(keys []string, from, n int) (sum uint64, misses int) {
	for i := range n {
		v, ok := c.Cache.Get(keys[(from+i)&(len(keys)-1)])
		if !ok {
			misses++
		}
		sum += uint64(v)
	}
	return sum, misses
}
