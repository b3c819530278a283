package redisbackend

import (
	"context"
	"errors"
	"maps"
	"slices"

	"github.com/redis/go-redis/v9"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/inspect"
)

// maxMeasured is how many values of a kind have their size asked for, where not
// every one has.
const maxMeasured = 100

// errEnough ends a walk that has looked at what it was to look at.
var errEnough = errors.New("txcache: redis: enough keys were looked at")

func (b inspector) Caches(ctx context.Context, name string, limit int64) (*inspect.Census, error) {
	d, err := b.Database(ctx, name)
	if err != nil {
		return nil, err
	}
	size, err := b.size()
	if err != nil {
		return nil, err
	}
	c := &inspect.Census{Size: size, Sampled: 0 < limit && limit < size}
	s := survey{inspector: b, database: *d, exact: limit == 0, groups: map[group]*sample{}}
	pattern := b.layout.pattern(name)
	if c.Sampled {
		pattern = "" // how many keys there were is part of the answer
	}
	err = b.visitKeys(ctx, pattern, func(ctx context.Context, keys []string) error {
		c.Looked += int64(len(keys))
		if err := s.take(ctx, keys); err != nil {
			return err
		}
		if c.Sampled && c.Looked >= limit {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		err = nil
	} else {
		c.Sampled = false
	}
	if err != nil {
		return nil, err
	}
	// A value was found before the generations are read here, so one whose
	// token is not current will never be.
	if d, err = b.Database(ctx, name); err != nil {
		return nil, err
	}
	c.Database = *d
	scale := 1.0
	if c.Sampled && c.Looked > 0 {
		scale = max(1, float64(size)/float64(c.Looked))
	}
	c.Caches = s.counts(d, scale)
	return c, nil
}

// A group is the values of one generation of a cache, or the parts of its large
// values.
type group struct {
	cache string
	token backend.Token
	parts bool
}

// A sample is how many values of a group were found, and the memory of some.
type sample struct {
	values, asked, sized, bytes int64
}

type survey struct {
	inspector
	database inspect.Database
	exact    bool
	groups   map[group]*sample
}

// take counts the values among keys and has some of them measured.
func (s *survey) take(ctx context.Context, keys []string) error {
	var names []string
	var cmds []redis.Cmder
	var of []*sample
	for _, key := range keys {
		e, ok := s.layout.entry(key)
		if !ok || e.Database != s.database.Name {
			continue
		}
		g := group{e.Cache, e.Token, isPart(key)}
		if s.groups[g] == nil {
			s.groups[g] = &sample{}
		}
		one := s.groups[g]
		one.values++
		if s.exact || one.asked < maxMeasured {
			one.asked++
			names, of = append(names, key), append(of, one)
			cmds = append(cmds, redis.NewIntCmd(context.Background(), "memory", "usage", key))
		}
	}
	for len(cmds) > 0 {
		n := min(len(cmds), batchSize)
		if err := s.scatter(ctx, names[:n], cmds[:n], 0); err != nil {
			return err
		}
		for i, cmd := range cmds[:n] {
			// It may have expired, or the user may not ask.
			if bytes, err := cmd.(*redis.IntCmd).Result(); err == nil {
				of[i].sized++
				of[i].bytes += bytes
			}
		}
		names, cmds, of = names[n:], cmds[n:], of[n:]
	}
	return nil
}

// counts returns what was found, with the generations of d.
func (s *survey) counts(d *inspect.Database, scale float64) []inspect.CacheCount {
	caches := map[string]*inspect.CacheCount{}
	of := func(name string) *inspect.CacheCount {
		if caches[name] == nil {
			c := &inspect.CacheCount{Name: name}
			if d.Kept {
				c.Token, c.Fenced = d.State.Token(name), d.State.IsFenced(name)
			}
			caches[name] = c
		}
		return caches[name]
	}
	for _, name := range d.Named() {
		of(name)
	}
	for g, one := range s.groups {
		c := of(g.cache)
		amount := &c.Dead
		if g.token == c.Token {
			amount = &c.Live
		}
		one.addTo(amount, scale, g.parts)
	}
	list := make([]inspect.CacheCount, 0, len(caches))
	for _, name := range slices.Sorted(maps.Keys(caches)) {
		list = append(list, *caches[name])
	}
	return list
}

// addTo extrapolates to a, from a sample of values or of parts, which have but
// memory.
func (one *sample) addTo(a *inspect.Amount, scale float64, parts bool) {
	values := float64(one.values) * scale
	if !parts {
		a.Values += int64(values + 0.5)
	}
	switch {
	case a.Bytes < 0 || one.sized == 0:
		a.Bytes = -1
	default:
		a.Bytes += int64(values*float64(one.bytes)/float64(one.sized) + 0.5)
	}
}
