package redisbackend

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seed-dad15c92/txcache/backend"
)

const (
	// minGarbage is how many dead values a process must have written before
	// it thinks of removing any.
	minGarbage = 10_000

	// garbageShare of a server's keys must be garbage for a walk over all of
	// them to be worth while: one key in so many.
	garbageShare = 4

	// sweepLockTTL is for how long a process may hold the lock for sweeping, which
	// it releases when it has swept.
	sweepLockTTL = 10 * time.Minute

	// sweepRetry is how long a process waits before it asks again for the lock
	// that another one holds.
	sweepRetry = time.Second
)

// garbage estimates how many of the values that this process wrote belong to
// generations that are over. It counts only what has to be counted anyway at a
// write or a clear, and takes no notice of expiry, nor of what other processes
// have removed, so it is an upper bound.
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

func (g *garbage) init() { g.limit.Store(minGarbage) }

// count adds values that were written, with their parts, to the tallies of their
// generations. Where the generations are kept elsewhere, several of a cache are in use at
// once, and nothing here tells which.
func (b *Backend) count(values []backend.Value) {
	if b.onlyValues {
		return
	}
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
		dead += b.info(v.Database).countWritten(v.Cache, v.Token, keys)
	}
	b.garbage.add(b, dead)
}

// countWritten counts n values of a generation of cache, and returns how many had been
// counted of the one before.
func (db *dbInfo) countWritten(cache string, token backend.Token, n int) (dead int) {
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

// takeDead removes the tallies of the generations that are not in s, and returns
// how many values they counted. db.mu is held.
func (db *dbInfo) takeDead(s *backend.State) (dead int) {
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
	if n > 0 {
		g.dead.Add(int64(n))
		g.collectSoon(b)
	}
}

// collectSoon starts a sweep if there is enough garbage and this process does not
// sweep already.
func (g *garbage) collectSoon(b *Backend) {
	if g.dead.Load() < g.limit.Load() || !g.sweeping.CompareAndSwap(false, true) {
		return
	}
	b.spawn(func() {
		if err := b.collect(); err != nil && b.ctx.Err() == nil {
			g.limit.Store(g.dead.Load() + minGarbage)
			b.options.Logger.Warn("txcache: garbage was left for later", "error", err)
		}
		g.sweeping.Store(false)
		g.collectSoon(b) // for what has died meanwhile
	})
}

// collect sweeps if the server holds enough garbage, one process at a time. While
// another one sweeps it waits, and forgets nothing: that sweep may have passed by
// what lived then. So each process walks over all keys, but not more than four
// for each of its own values that has died.
func (b *Backend) collect() error {
	g := &b.garbage
	size, err := b.size()
	if err != nil {
		return err
	}
	if least := max(minGarbage, size/garbageShare); g.dead.Load() < least {
		g.limit.Store(least)
		return nil
	}
	owner := string(backend.NewToken())
	for {
		taken, err := b.lockSweep(owner)
		if err != nil {
			return err
		}
		if taken {
			break
		}
		if !b.pause(sweepRetry) {
			return nil
		}
	}
	defer b.unlockSweep(owner)
	dead := g.dead.Swap(0) // what dies from here on the walk may pass by
	g.limit.Store(minGarbage)
	removed, err := b.sweep(b.ctx)
	b.options.Logger.Info("txcache: garbage was removed", "values", removed)
	if err != nil {
		g.dead.Add(dead)
	}
	return err
}

// lockSweep asks for the lock for sweeping, and reports whether owner holds it.
func (b *Backend) lockSweep(owner string) (bool, error) {
	cmd := redis.NewStatusCmd(context.Background(), "set", b.layout.sweepLock(), owner, "px", sweepLockTTL.Milliseconds(), "nx")
	if err := b.do(b.ctx, b.layout.sweepLock(), cmd); err != nil {
		return false, err
	}
	if err := cmd.Err(); err != nil && !errors.Is(err, redis.Nil) {
		return false, err
	}
	return cmd.Err() == nil, nil
}

// unlockSweep releases the lock if owner still holds it.
func (b *Backend) unlockSweep(owner string) {
	cmd := swapScript.command(b.layout.sweepLock(), optional([]byte(owner)), optional(nil), sweepLockTTL.Milliseconds())
	_ = b.do(b.ctx, b.layout.sweepLock(), cmd) // else it expires
}

// size is the number of keys on all masters.
func (b *Backend) size() (n int64, err error) {
	err = b.withTimeout(b.ctx, func(ctx context.Context) error {
		n, err = b.client.DBSize(ctx).Result()
		return err
	})
	return n, err
}

// sweep removes the values of generations that are over, of every database of
// the deployment, and returns how many. It walks over all keys of the server,
// gently; what it would remove expires anyway.
func (b *Backend) sweep(ctx context.Context) (removed int, err error) {
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
	if err := b.scatter(ctx, names, cmds, 0); err != nil {
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
