package histories_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/config"
	"github.com/seed-dad15c92/txcache/internal/redistest"
	"github.com/seed-dad15c92/txcache/redisbackend"
	"github.com/seed-dad15c92/txcache/sqlbackend"
)

// withRedis returns b as a backend that also keeps values in Redis.
func (e *engine) withRedis(b *sqlbackend.Backend) (backend.Backend, error) {
	cfg := config.Default()
	cfg.Redis.URI = e.redis
	cfg.Redis.DialTimeout, cfg.Redis.Timeout = 100*time.Millisecond, 300*time.Millisecond
	values, err := redisbackend.OpenValues(context.Background(), cfg)
	if err != nil {
		return nil, err
	}
	return sqlbackend.WithValues(b, values), nil
}

// A redis is the Redis that keeps values, and what has happened to it.
type redis struct {
	*redistest.Server
	flushed, killed, paused, spoilt int
}

// addRedis gives the servers of an engine a Redis that keeps values too.
func addRedis(t *testing.T, e *engine) *redis {
	t.Helper()
	r := &redis{Server: redistest.Start(t)}
	e.redis = r.URI()
	return r
}

// disturb does to Redis now and then what can happen to it.
func (r *redis) disturb(w *worker) error {
	time.Sleep(time.Duration(w.random.IntN(600)) * time.Millisecond)
	switch w.random.IntN(5) {
	case 0:
		r.killed++
		r.Kill()
		time.Sleep(time.Duration(w.random.IntN(100)) * time.Millisecond)
		r.Restart()
	case 1:
		r.paused++
		r.Pause()
		time.Sleep(time.Duration(w.random.IntN(800)) * time.Millisecond)
		r.Resume()
	case 2:
		r.flushed++
		r.Do("flushall")
	default:
		r.spoilt++
		return r.spoil(w)
	}
	return nil
}

// spoil puts garbage in the place of some values, or a part of what was there.
func (r *redis) spoil(w *worker) error {
	keys, err := r.Client().Keys(w.ctx, "*").Result()
	if err != nil {
		return err
	}
	for _, key := range keys {
		data := make([]byte, w.random.IntN(40))
		for i := range data {
			data[i] = byte(w.random.Uint32())
		}
		if w.random.IntN(2) == 0 {
			is, err := r.Client().Get(w.ctx, key).Bytes()
			if err != nil {
				continue // it has gone
			}
			data = is[:w.random.IntN(len(is)+1)]
		}
		_ = r.Client().Do(w.ctx, "set", key, data, "xx", "keepttl").Err() // nil if it has gone
	}
	return nil
}

// remote returns how many hits came from Redis, and how many calls of it have failed.
func (h *history) remote() (hits, failed, bad uint64) {
	for _, s := range h.servers {
		for stats := range s.store.Stats() {
			hits, failed, bad = hits+stats.RemoteHits, failed+stats.RemoteErrors, bad+stats.BadPayloads
		}
	}
	return hits, failed, bad
}

// keepsIn says that the servers keep values in Redis too, of which there must be hits.
func (h *history) keepsIn(r *redis) {
	h.redis = r
	h.goals = append(h.goals, func() string {
		const want = 500
		if hits, _, _ := h.remote(); hits < want {
			return fmt.Sprintf("%d hits from Redis are too few to show anything, want %d", hits, want)
		}
		return ""
	})
}

// With values in Redis too each hit at repeatable read is what the transaction itself reads by SQL, on a primary and on
// its standby, which use the same values, whatever becomes of Redis.
func TestHitsAreWhatTheTransactionReadsWithRedisPostgres(t *testing.T) {
	e, primary := overPostgres(t)
	r := addRedis(t, e)
	h := onAStandby(t, e, primary)
	h.keepsIn(r)
	h.play(duration(t), 24, 8)
	h.sane()
}

func TestHitsAreWhatTheTransactionReadsWithRedisMariaDB(t *testing.T) {
	e, _ := overMariaDB(t)
	r := addRedis(t, e)
	h := newHistory(t, newServer(t, e, "a"), newServer(t, e, "b"))
	h.keepsIn(r)
	h.play(duration(t), 16, 8)
	h.sane()
}

func TestHitsAreWhatTheTransactionReadsWithRedisSQLite(t *testing.T) {
	e, _ := overSQLite(t)
	r := addRedis(t, e)
	h := newHistory(t, newServer(t, e, "a"), newServer(t, e, "b"))
	h.keepsIn(r)
	h.rest = 20 * time.Millisecond
	h.play(duration(t), 10, 6)
	h.sane()
}

// Redis is not restored with the database, and its values of what was lost are found by nobody.
func TestRestoredBackupLeavesNothingStaleInRedis(t *testing.T) {
	e, file := overSQLite(t)
	r := addRedis(t, e)
	restores(t, e, r, func() (restore func()) {
		backup := file + ".backup"
		vacuumInto(t, e, backup)
		return func() { putBack(t, backup, file) }
	})
}
