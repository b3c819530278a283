package caches

import (
	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/hashicorp/golang-lru/v2/expirable"
)

func openLRU(o Options) (Local, error) {
	if o.Duration > 0 {
		return expirableLRU{expirable.NewLRU[string, int](o.Size, nil, o.Duration)}, nil
	}
	c, err := lru.New[string, int](o.Size)
	return plainLRU{c}, err
}

type plainLRU struct{ *lru.Cache[string, int] }

func (c plainLRU) Session() Session           { return c }
func (c plainLRU) Get(key string) (int, bool) { return c.Cache.Get(key) }
func (c plainLRU) Set(key string, value int)  { c.Add(key, value) }
func (c plainLRU) Wait()                      {}
func (c plainLRU) Close()                     {}

func (c plainLRU) Clear() error {
	c.Purge()
	return nil
}

func (c plainLRU) Hits(keys []string, from, n int) (sum uint64, misses int) {
	for i := range n {
		v, ok := c.Cache.Get(keys[(from+i)&(len(keys)-1)])
		if !ok {
			misses++
		}
		sum += uint64(v)
	}
	return sum, misses
}

// expirableLRU has a goroutine that nothing stops.
type expirableLRU struct{ *expirable.LRU[string, int] }

func (c expirableLRU) Session() Session           { return c }
func (c expirableLRU) Get(key string) (int, bool) { return c.LRU.Get(key) }
func (c expirableLRU) Set(key string, value int)  { c.Add(key, value) }
func (c expirableLRU) Wait()                      {}
func (c expirableLRU) Close()                     {}

func (c expirableLRU) Clear() error {
	c.Purge()
	return nil
}

func (c expirableLRU) Hits(keys []string, from, n int) (sum uint64, misses int) {
	for i := range n {
		v, ok := c.LRU.Get(keys[(from+i)&(len(keys)-1)])
		if !ok {
			misses++
		}
		sum += uint64(v)
	}
	return sum, misses
}
