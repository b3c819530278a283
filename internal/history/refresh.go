package history

import (
	"context"
	"time"
)

// A Refresher is a Server that loads values again by itself, for caches that
// are to be refreshed. load reads the database as it is then; each value is in
// a snapshot of its own.
type Refresher interface {
	Refresh(cache int, load func(ctx context.Context, database, key string) (Value, error))
}

// refreshing gives those servers that refresh the loaders to do so.
func (p *play) refreshing() {
	for _, s := range p.servers {
		r, ok := s.(Refresher)
		for cache, spec := range p.world.Caches {
			if ok && spec.Refresh && spec.ContextFree {
				r.Refresh(cache, func(ctx context.Context, database, key string) (Value, error) {
					return p.refresh(ctx, spec, database, key)
				})
			}
		}
	}
}

// refresh is the loader of an early refresh. It has troubles too, in turn.
func (p *play) refresh(ctx context.Context, spec CacheSpec, database, key string) (Value, error) {
	s := p.truth.session(0, database, true)
	defer s.rollback()
	shows, err := s.read(spec.Table, key)
	v := Value{Database: database, Life: shows.life, Cache: spec.Name, Key: key, Write: shows.number, Gone: shows.gone}
	if err != nil {
		return v, err
	}
	switch p.refreshes.Add(1) % 8 {
	case 3:
		return v, errLoad
	case 5:
		panic(errLoad)
	case 7:
		select {
		case <-time.After(slowly):
		case <-ctx.Done():
			return v, ctx.Err()
		}
	}
	if !v.there() {
		return v, ErrAbsent
	}
	return v, nil
}
