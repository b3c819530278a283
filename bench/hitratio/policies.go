package hitratio

import (
	"container/list"
	"hash/maphash"

	"github.com/Yiling-J/theine-go"
	"github.com/hashicorp/golang-lru/arc/v2"
	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/maypok86/otter/v2"

	"github.com/seed-dad15c92/txcache/internal/near"
)

// A cache is asked for a key, and takes it in if it is not there. It reports
// whether it was.
type cache interface{ access(key uint64) (hit bool) }

var policies = []struct {
	name string
	open func(size int) cache
}{
	{"near", func(size int) cache { return nearCache{near.New[uint64, uint64](size), maphash.MakeSeed()} }},
	{"LRU", func(size int) cache {
		c, err := lru.New[uint64, uint64](size)
		if err != nil {
			panic(err) // only for a size below 1
		}
		return lruCache{c}
	}},
	{"SIEVE", func(size int) cache { return &sieve{size: size, queue: list.New(), at: map[uint64]*list.Element{}} }},
	{"S3-FIFO", func(size int) cache { return newS3FIFO(size) }},
	{"otter", func(size int) cache {
		return otterCache{otter.Must(&otter.Options[uint64, uint64]{
			MaximumSize: size,
			Executor:    func(task func()) { task() }, // the same result in each run
		})}
	}},
	{"theine", func(size int) cache {
		c, err := theine.NewBuilder[uint64, uint64](int64(size)).Build()
		if err != nil {
			panic(err) // only for a size below 1
		}
		return theineCache{c}
	}},
	{"ARC", func(size int) cache {
		c, err := arc.NewARC[uint64, uint64](size)
		if err != nil {
			panic(err) // only for a size below 1
		}
		return hashicorpCache{c}
	}},
	{"2Q", func(size int) cache {
		c, err := lru.New2Q[uint64, uint64](max(2, size)) // which refuses a size of 1
		if err != nil {
			panic(err) // only for a size below 2
		}
		return hashicorpCache{c}
	}},
}

type nearCache struct {
	m    *near.Map[uint64, uint64]
	seed maphash.Seed
}

func (c nearCache) access(key uint64) bool {
	hash := maphash.Comparable(c.seed, key)
	if _, ok := c.m.Get(key, hash); ok {
		return true
	}
	c.m.Set(key, hash, key, 0, 0)
	return false
}

// A hashicorpCache is one of golang-lru.
type hashicorpCache struct {
	c interface {
		Get(key uint64) (value uint64, ok bool)
		Add(key, value uint64)
	}
}

func (c hashicorpCache) access(key uint64) bool {
	if _, ok := c.c.Get(key); ok {
		return true
	}
	c.c.Add(key, key)
	return false
}

type otterCache struct{ c *otter.Cache[uint64, uint64] }

func (c otterCache) access(key uint64) bool {
	if _, ok := c.c.GetIfPresent(key); ok {
		return true
	}
	c.c.Set(key, key)
	return false
}

type lruCache struct{ c *lru.Cache[uint64, uint64] }

func (c lruCache) access(key uint64) bool {
	if _, ok := c.c.Get(key); ok {
		return true
	}
	c.c.Add(key, key)
	return false
}

type theineCache struct{ c *theine.Cache[uint64, uint64] }

func (c theineCache) access(key uint64) bool {
	if _, ok := c.c.Get(key); ok {
		return true
	}
	c.c.Set(key, key, 1)
	c.c.Wait() // for its goroutine, which evicts
	return false
}

func (c theineCache) Close() error {
	c.c.Close()
	return nil
}
