package redis_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/config"
	"github.com/seed-dad15c92/txcache/internal/redistest"
	"github.com/seed-dad15c92/txcache/internal/storetest"
)

// An outage is a way for a server not to serve, and its end.
type outage struct {
	name       string
	begin, end func(*redistest.Server)
}

var outages = []outage{
	{"killed", (*redistest.Server).Kill, func(s *redistest.Server) { s.Restart() }},
	{"paused", (*redistest.Server).Pause, (*redistest.Server).Resume},
	{"too many clients", func(s *redistest.Server) {
		s.Do("config", "set", "maxclients", "1") // which the test's own client is
		s.Do("client", "kill", "type", "normal", "skipme", "yes")
		s.Do("client", "kill", "type", "pubsub")
	}, func(s *redistest.Server) { s.Do("config", "set", "maxclients", "1000") }},
	{"read-only", func(s *redistest.Server) {
		s.Do("replicaof", "127.0.0.1", "1")
		s.Do("client", "kill", "type", "normal", "skipme", "yes") // as Sentinel does it
		s.Do("client", "kill", "type", "pubsub")
	}, func(s *redistest.Server) { s.Do("replicaof", "no", "one") }},
	{"loading", func(s *redistest.Server) {
		for i := range 2000 {
			s.Do("set", fmt.Sprint("something else ", i), i)
		}
		s.Snapshot()
		s.Kill()
		s.RestartUnready("--key-load-delay", "1500", "--loading-process-events-interval-bytes", "1024")
		s.Await("to be loading", func(ctx context.Context) error {
			if err := s.Client().Ping(ctx).Err(); err == nil || !strings.HasPrefix(err.Error(), "LOADING") {
				return errors.Join(errors.New("it is not"), err)
			}
			return nil
		})
	}, func(*redistest.Server) {}},
}

// A pace is how long requests took.
type pace struct {
	mu    sync.Mutex
	times []time.Duration
}

func (p *pace) of(request func()) {
	start := time.Now()
	request()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.times = append(p.times, time.Since(start))
}

// slower counts the requests that took longer than d.
func (p *pace) slower(d time.Duration) (n int) {
	for _, took := range p.times {
		if took > d {
			n++
		}
	}
	return n
}

func (p *pace) String() string {
	slices.Sort(p.times)
	return fmt.Sprintf("median %v, longest %v", p.times[len(p.times)/2], p.times[max(0, len(p.times)-5):])
}

// request is what a service does for each of its requests: begin, look up, load,
// set and commit. It fails the test if Redis can make it fail.
func request(t *testing.T, m member, key string) {
	err := m.View(t.Context(), "db", func(tx *txcache.Tx) error {
		if v, ok := m.c.Get(t.Context(), tx, "old"); ok && v != 1 {
			t.Errorf("Get = %d", v)
		}
		if v, err := m.c.Load(t.Context(), tx, key, storetest.Constant(7, nil)); v != 7 || err != nil {
			t.Errorf("Load = %d, %v; want what the loader returns", v, err)
		}
		m.c.Set(tx, key+"too", 7)
		return nil
	})
	if err != nil {
		t.Errorf("a request without a clear fails: %v", err)
	}
}

// P8: a server that does not serve costs requests the limits once, and then
// microseconds; commits that clear are refused or wait, as configured; and all
// comes back by itself.
func TestRedisP8Outages(t *testing.T) {
	storetest.Slow(t)
	for _, o := range outages {
		t.Run(o.name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t)
			cfg := prompt(settings(server.URI()))
			refusing, other := join(t, cfg), join(t, cfg)
			cfg.Outage = config.OutageCommit
			committing := join(t, cfg)
			cfg.Sync = config.SyncChannel
			listening := join(t, cfg)
			cfg.Sync = "100ms"
			polling := join(t, cfg)
			all := []member{refusing, committing, listening, polling, other}
			storetest.Publish(t, refusing.Store, "db", refusing.c, "old", 1)
			for _, m := range all {
				storetest.Within(t, promptly, "the value is read everywhere", func() bool {
					tx := storetest.BeginReadOnly(t, m.Store, "db")
					defer tx.Rollback()
					_, ok := m.c.Get(t.Context(), tx, "old")
					return ok
				})
			}
			o.begin(server)

			for i, m := range all[:4] {
				var p pace
				for j := range 200 {
					p.of(func() { request(t, m, fmt.Sprint("key ", j)) })
				}
				// One waits for the limits; another may meet the end of what was
				// known without asking.
				limits := cfg.Redis.DialTimeout + cfg.Redis.Timeout
				if n := p.slower(20 * time.Millisecond); n > 3 {
					t.Errorf("server %d: %d of 200 requests were slow: %v", i, n, &p)
				}
				if n := p.slower(limits + 100*time.Millisecond); n > 0 {
					t.Errorf("server %d: %d requests took longer than the limits, %v: %v", i, n, limits, &p)
				}
				if n := p.slower(time.Millisecond); n > 20 {
					t.Errorf("server %d: %d of 200 requests took longer than a millisecond: %v", i, n, &p)
				}
				t.Logf("server %d: %v", i, &p)
			}

			ran := false
			if err := commitDuring(t, refusing, func() { ran = true }); !errors.Is(err, txcache.ErrUnavailable) || ran {
				t.Errorf("outage = refuse: a commit that clears returns %v, and the database's was run: %v", err, ran)
			}
			if err := commitDuring(t, committing, func() { ran = true }); err != nil || !ran {
				t.Errorf("outage = commit: a commit that clears returns %v, and the database's was run: %v", err, ran)
			}
			if n := committing.Waiting(); n != 1 {
				t.Errorf("%d clears wait; want 1", n)
			}
			request(t, committing, "meanwhile")

			o.end(server)
			storetest.Within(t, storetest.Recovery, "the clear arrives", func() bool { return committing.Waiting() == 0 })
			for i, m := range all {
				m.awaitState(t, "db")
				storetest.Within(t, promptly, fmt.Sprintf("server %d misses what was cleared", i), func() bool {
					tx := storetest.BeginReadOnly(t, m.Store, "db")
					defer tx.Rollback()
					_, ok := m.c.Get(t.Context(), tx, "old")
					return !ok
				})
			}
			other.publish(t, "db", 2)
			for _, m := range all {
				storetest.Within(t, promptly, "the cache is in use again", func() bool { v, ok := m.get(t, "db"); return ok && v == 2 })
			}
			if err := commitDuring(t, refusing, func() {}); err != nil {
				t.Errorf("a commit that clears, after the outage: %v", err)
			}
		})
	}
}

// Those who are at it when the server falls silent wait for the limits once,
// not one after another.
func TestRedisP8ManyRequestsMeetASilentServer(t *testing.T) {
	const callers, each = 64, 20
	server := redistest.Start(t)
	cfg := prompt(settings(server.URI()))
	m := join(t, cfg)
	m.publish(t, "db", 1)
	server.Pause()
	start := time.Now()
	var p pace
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			for j := range each {
				p.of(func() { request(t, m, fmt.Sprint(i, " ", j)) })
			}
		})
	}
	wg.Wait()
	if n := p.slower(cfg.Redis.Timeout); n > callers {
		t.Errorf("%d of %d requests waited for the time limit; want one for each of %d callers at most: %v", n, callers*each, callers, &p)
	}
	if d, limit := time.Since(start), 3*(cfg.Redis.DialTimeout+cfg.Redis.Timeout); d > limit {
		t.Errorf("all of it took %v; want less than %v", d, limit)
	}
	server.Resume()
	m.awaitState(t, "db")
}

// A server that has no memory left takes no values, and all the clears.
func TestRedisP8OutOfMemory(t *testing.T) {
	server := redistest.Start(t, "--maxmemory-policy", "noeviction")
	for _, near := range []bool{true, false} {
		t.Run(fmt.Sprintf("near=%v", near), func(t *testing.T) {
			cfg := settings(server.URI())
			cfg.Redis.Near = near
			all := joinMany(t, cfg, 2)
			all[0].publish(t, "db", 1)
			storetest.Hit(t, storetest.BeginReadOnly(t, all[1].Store, "db"), all[1].c, "x", 1, "it is the newest")
			server.Do("config", "set", "maxmemory", "1mb")
			defer server.Do("config", "set", "maxmemory", "0")

			storetest.Hit(t, storetest.BeginReadOnly(t, all[1].Store, "db"), all[1].c, "x", 1, "reading needs no memory")
			for round := range 3 {
				request(t, all[0], fmt.Sprint("key ", round))
				ran := false
				if err := commitDuring(t, all[0], func() {
					ran = true
					storetest.Miss(t, storetest.BeginReadOnly(t, all[1].Store, "db"), all[1].c, "x", "it is fenced")
				}); err != nil || !ran {
					t.Errorf("a commit that clears: %v", err)
				}
				storetest.Miss(t, storetest.BeginReadOnly(t, all[1].Store, "db"), all[1].c, "x", "it was cleared")
				tx := storetest.Begin(t, all[0].Store, "db")
				all[0].c.Set(tx, "x", 2)
				storetest.Commit(t, tx) // the value may get lost, the commit must not
			}
			if _, ok := all[1].get(t, "db"); ok {
				t.Error("the server has taken a value; it was to be full")
			}
			if _, err := all[0].Begin(t.Context(), "another"); err != nil {
				t.Error(err)
			}
			server.Do("config", "set", "maxmemory", "0")
			all[0].clear(t, "db")
			all[0].publish(t, "db", 3)
			storetest.Hit(t, storetest.BeginReadOnly(t, all[1].Store, "db"), all[1].c, "x", 3, "there is room again")
		})
	}
}

// A service starts while Redis is down, works without, and finds it when it
// comes.
func TestRedisP8OpenedBeforeTheServer(t *testing.T) {
	server := redistest.Start(t)
	server.Kill()
	for _, m := range modes {
		cfg := m.of(prompt(settings(server.URI())))
		p := join(t, cfg)
		request(t, p, "key")
		if err := commitDuring(t, p, func() {}); !errors.Is(err, txcache.ErrUnavailable) {
			t.Errorf("%s: a commit that clears returns %v", m.name, err)
		}
		defer func() {
			p.awaitState(t, "db")
			storetest.Within(t, promptly, m.name+": the cache is in use", func() bool {
				p.publish(t, "db", 1)
				v, ok := p.get(t, "db")
				return ok && v == 1
			})
			if err := commitDuring(t, p, func() {}); err != nil {
				t.Errorf("%s: a commit that clears: %v", m.name, err)
			}
		}()
	}
	server.Restart()
}
