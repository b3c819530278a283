package redisbackend

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seed-dad15c92/txcache/backend"
)

const (
	// leastGarbage is how many dead values a process must have written before
	// it thinks of removing any.
	leastGarbage = 10_000

	// garbageShare of a server's keys must be garbage for a walk over all of
	// them to be worth while: one key in so many.
	garbageShare = 4

	// sweepLease is how long a process has the sole right to sweep.
	sweepLease = 10 * time.Minute
)

// garbage estimates how many of the values that this process wrote belong to
// generations that are over. It counts only what has to be counted anyway at a
// write or a clear, and takes no notice of expiry, so it is an upper bound.
type garbage struct {
	dead     atomic.Int64
	limit    atomic.Int64 // from which it is worth asking for the server's size
	sweeping atomic.Bool
}

// A tally says how many values were written in one generation of a cache.
type tally struct {
	token backend.Token
	n     int
}

func (g *garbage) init() { g.limit.Store(leastGarbage) }

// count adds values that were written, with their parts, to the tallies of their
// generations.
func (b *Backend) count(values []backend.Value) {
	dead := 0
	for len(values) > 0 {
		// Most are of one generation.
		v, n, keys := &values[0].Key, 0, 0
		for n < len(values) && values[n].Token == v.Token && values[n].Cache == v.Cache && values[n].Database == v.Database {
			if keys++; divided(values[n].Data) {
				keys += parts(len(values[n].Data))
			}
			n++
		}
		values = values[n:]
		dead += b.database(v.Database).wrote(v.Cache, v.Token, keys)
	}
	b.garbage.add(b, dead)
}

// wrote counts n values of a generation of cache, and returns how many had been
// counted of the one before.
func (db *database) wrote(cache string, token backend.Token, n int) (dead int) {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.written == nil {
		db.written = map[string]tally{}
	}
	t := db.written[cache]
	if t.token != token {
		dead, t = t.n, tally{token: token}
	}
	t.n += n
	db.written[cache] = t
	return dead
}

// died removes the tallies of the generations that are not in s, and returns
// how many values they counted. db.mu is held.
func (db *database) died(s *backend.State) (dead int) {
	for cache, t := range db.written {
		if s.Token(cache) != t.token {
			dead += t.n
			delete(db.written, cache)
		}
	}
	return dead
}

// add notes that n values are garbage, and starts a sweep when there are many.
func (g *garbage) add(b *Backend, n int) {
	if n == 0 || g.dead.Add(int64(n)) < g.limit.Load() || !g.sweeping.CompareAndSwap(false, true) {
		return
	}
	b.spawn(func() {
		defer g.sweeping.Store(false)
		if err := b.collect(); err != nil && b.ctx.Err() == nil {
			b.options.Logger.Warn("txcache: garbage was left to expire", "error", err)
		}
	})
}

// collect sweeps if the server holds enough garbage and nobody else does.
func (b *Backend) collect() error {
	g := &b.garbage
	size, err := b.size()
	if err != nil {
		g.limit.Store(g.dead.Load() + leastGarbage)
		return err
	}
	if least := max(leastGarbage, size/garbageShare); g.dead.Load() < least {
		g.limit.Store(least)
		return nil
	}
	// Whoever has the lease removes the garbage of all.
	g.dead.Store(0)
	g.limit.Store(leastGarbage)
	lease := redis.NewStatusCmd(context.Background(), "set", b.layout.lease(), string(backend.NewToken()), "px", sweepLease.Milliseconds(), "nx")
	if err := b.do(b.ctx, b.layout.lease(), lease); err != nil {
		return err
	}
	if lease.Err() != nil {
		return nil
	}
	removed, err := b.Sweep(b.ctx)
	b.options.Logger.Info("txcache: garbage was removed", "values", removed)
	return err
}

// size is the number of keys on all masters.
func (b *Backend) size() (n int64, err error) {
	err = b.briefly(b.ctx, func(ctx context.Context) error {
		n, err = b.client.DBSize(ctx).Result()
		return err
	})
	return n, err
}

// Sweep removes the values of generations that are over, of every database of
// the deployment, and returns how many. It walks over all keys of the server,
// gently; what it would remove expires anyway. A Backend calls it by itself
// when it has reason to think that much of what the server holds is garbage.
func (b *Backend) Sweep(ctx context.Context) (removed int, err error) {
	if err := b.usable(ctx); err != nil {
		return 0, err
	}
	return b.scan(ctx, walk{pattern: b.layout.everything(), gentle: true, choose: b.dead})
}

// dead returns those of keys that belong to generations that are over. A key
// was there before the generations are read here, and none is written before
// its generation begins: so one whose token is not current will never be.
func (b *Backend) dead(ctx context.Context, keys []string) ([]string, error) {
	type wanted struct {
		cmd    *redis.SliceCmd
		args   []any
		column map[string]int
	}
	databases := map[string]*wanted{}
	for _, key := range keys {
		name, cache, _, ok := b.layout.generation(key)
		if !ok {
			continue
		}
		w := databases[name]
		if w == nil {
			w = &wanted{args: []any{"hmget", b.layout.prefix + ":" + name + ":@", "b"}, column: map[string]int{}}
			databases[name] = w
		}
		if _, ok := w.column[cache]; !ok {
			w.column[cache] = len(w.args) - 2
			w.args = append(w.args, "c"+cache)
		}
	}
	var names []string
	var cmds []redis.Cmder
	for _, w := range databases {
		w.cmd = redis.NewSliceCmd(context.Background(), w.args...)
		names, cmds = append(names, w.args[1].(string)), append(cmds, w.cmd)
	}
	if len(cmds) == 0 {
		return nil, nil
	}
	if err := b.spread(ctx, names, cmds, 0); err != nil {
		return nil, err
	}
	var dead []string
	for _, key := range keys {
		name, cache, token, ok := b.layout.generation(key)
		if !ok {
			continue
		}
		w := databases[name]
		row, err := w.cmd.Result()
		if err != nil || len(row) != len(w.args)-2 {
			continue
		}
		current := row[w.column[cache]]
		if current == nil {
			current = row[0]
		}
		if text, ok := current.(string); !ok || escape(text) != token {
			dead = append(dead, key)
		}
	}
	return dead, nil
}
