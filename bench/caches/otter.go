package caches

import "github.com/maypok86/otter/v2"

type otterCache struct{ *otter.Cache[string, int] }

func openOtter(o Options) (Local, error) {
	opts := &otter.Options[string, int]{MaximumSize: o.Size}
	if o.Duration > 0 {
		opts.ExpiryCalculator = otter.ExpiryWriting[string, int](o.Duration)
	}
	c, err := otter.New(opts)
	return otterCache{c}, err
}

func (c otterCache) Session() Session           { return c }
func (c otterCache) Get(key string) (int, bool) { return c.GetIfPresent(key) }
func (c otterCache) Set(key string, value int)  { c.Cache.Set(key, value) }
func (c otterCache) Wait()                      { c.CleanUp() }
func (c otterCache) Close()                     { c.StopAllGoroutines() }

func (c otterCache) Clear() error {
	c.InvalidateAll()
	return nil
}

func (c otterCache) Hits(keys []string, from, n int) (sum uint64, misses int) {
	for i := range n {
		v, ok := c.GetIfPresent(keys[(from+i)&(len(keys)-1)])
		if !ok {
			misses++
		}
		sum += uint64(v)
	}
	return sum, misses
}
