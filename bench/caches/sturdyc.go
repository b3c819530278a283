package caches

import "github.com/viccon/sturdyc"

type sturdycCache struct{ *sturdyc.Client[int] }

// openSturdyc opens it with the shards and the share to evict of its README, and
// without the goroutine that looks for expired values, which nothing would stop.
func openSturdyc(o Options) (Local, error) {
	const shards, percentage = 10, 10
	return sturdycCache{sturdyc.New[int](o.Size, shards, o.Duration, percentage, sturdyc.WithNoContinuousEvictions())}, nil
}

func (c sturdycCache) Session() Session           { return c }
func (c sturdycCache) Get(key string) (int, bool) { return c.Client.Get(key) }
func (c sturdycCache) Set(key string, value int)  { c.Client.Set(key, value) }
func (c sturdycCache) Wait()                      {}
func (c sturdycCache) Close()                     {}

func (c sturdycCache) Clear() error {
	for _, key := range c.ScanKeys() {
		c.Delete(key)
	}
	return nil
}

func (c sturdycCache) Hits(keys []string, from, n int) (sum uint64, misses int) {
	for i := range n {
		v, ok := c.Client.Get(keys[(from+i)&(len(keys)-1)])
		if !ok {
			misses++
		}
		sum += uint64(v)
	}
	return sum, misses
}
