package histories_test

import (
	"context"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed-dad15c92/txcache/config"
	"github.com/seed-dad15c92/txcache/internal/history"
	"github.com/seed-dad15c92/txcache/internal/history/subject"
	"github.com/seed-dad15c92/txcache/internal/redistest"
	"github.com/seed-dad15c92/txcache/internal/storetest"
)

// What befalls a server, or the network before it, costs hits, or has a commit
// refused, and no more.
func TestNoFaultOfRedisViolatesAPromise(t *testing.T) {
	storetest.Slow(t)
	t.Parallel()
	for _, sync := range []config.Sync{config.SyncBegin, config.SyncLease, "5ms", config.SyncChannel} {
		for _, driver := range drivers {
			t.Run(string(sync)+"/"+driver.name, func(t *testing.T) {
				t.Parallel()
				world, uris := redisTrouble(t, 2, shortly, long)
				world.Late = sync.Every()
				if sync == config.SyncChannel {
					world.Late = unproven
					world.Faults = append(world.Faults, pause(unproven))
				}
				amidFaults(t, subject.Redis(promptSettings(sync), uris...), world, driver.drive).check(t)
			})
		}
	}
}

// amidFaults returns histories in a world whose faults take a while to pass.
func amidFaults(t *testing.T, open history.Open, world history.World, drive history.Driver) histories {
	return histories{
		open: open, world: world, drive: drive,
		steps: 1000 * min(5, historyFactor(t)), length: 500, hits: 0.05, patience: time.Minute,
	}
}

// After each of these faults, be it within a commit, the caches are in use again
// within a lease and what the retries of a clear take.
func TestCachesAreUsedAgainAfterEachFaultOfRedis(t *testing.T) {
	storetest.Slow(t)
	t.Parallel()
	for _, sync := range []config.Sync{config.SyncBegin, config.SyncLease, config.SyncChannel} {
		t.Run(string(sync), func(t *testing.T) {
			t.Parallel()
			world, uris := redisTrouble(t, 1, long)
			world.Late = sync.Every()
			if sync == config.SyncChannel {
				world.Late = unproven
			}
			cfg := promptSettings(sync)
			cfg.Redis.Fence = 2 * time.Second
			longest, fault, err := history.Recover(t.Context(), subject.Redis(cfg, uris...), world, cfg.Redis.Fence+storetest.Recovery)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("the longest took %v: %s", longest, fault)
		})
	}
}

// promptSettings returns settings with limits for servers that fail often.
func promptSettings(sync config.Sync) config.Config {
	cfg := redisSettings("", sync, true)
	cfg.Redis.DialTimeout, cfg.Redis.Timeout = 150*time.Millisecond, 250*time.Millisecond
	return cfg
}

// redisTrouble returns a small world with two servers, and where those find
// Redis: each behind a network of its own. Redis fails, and the networks of so
// many servers, for so long.
func redisTrouble(t *testing.T, networks int, durations ...time.Duration) (history.World, []string) {
	server := redistest.Start(t)
	world := smallWorld()
	world.Servers = 2
	world.Faults = append(redisFaults(server), redisOutages(t, server)...)
	var uris []string
	for i := range world.Servers {
		proxy := redistest.NewProxy(t, server.Addr)
		uris = append(uris, proxy.URI())
		if i < networks {
			world.Faults = append(world.Faults, networkFaults(t, i, proxy, durations)...)
		}
	}
	return world, uris
}

// A spell is something that lasts, one fault at a time.
type spell struct {
	all sync.WaitGroup
	mu  sync.Mutex
	on  bool
}

func newSpell(t *testing.T) *spell {
	s := &spell{}
	t.Cleanup(s.all.Wait)
	return s
}

// of returns a fault that begins, and ends after d; it does nothing while there
// is another.
func (s *spell) of(name string, d time.Duration, begin, end func()) history.Fault {
	return history.Fault{Name: name + " for " + d.String(), Befall: func(context.Context) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.on {
			return
		}
		s.on = true
		begin()
		s.all.Go(func() {
			time.Sleep(d)
			s.mu.Lock()
			defer s.mu.Unlock()
			end()
			s.on = false
		})
	}}
}

// now returns what happens only while nothing lasts.
func (s *spell) now(do func()) func(context.Context) {
	return func(context.Context) {
		s.mu.Lock()
		defer s.mu.Unlock()
		if !s.on {
			do()
		}
	}
}

const (
	shortly = 100 * time.Millisecond // less than a call waits
	long    = 400 * time.Millisecond // more than that
)

// networkFaults are those of the network of one server.
func networkFaults(t *testing.T, i int, proxy *redistest.Proxy, durations []time.Duration) []history.Fault {
	s := newSpell(t)
	var all []history.Fault
	for _, trouble := range []struct {
		name    string
		traffic redistest.Traffic
	}{
		{"is cut", redistest.Cut},
		{"holds everything back", redistest.Held},
		{"loses answers", redistest.Unanswered},
		{"is slow", redistest.Slow},
		{"loses announcements", redistest.Deaf},
		{"brings announcements late", redistest.Late},
		{"brings announcements twice", redistest.Twice},
		{"has no subscribers", redistest.Unsubscribed},
	} {
		for _, d := range durations {
			all = append(all, s.of("the network of server "+strconv.Itoa(i)+" "+trouble.name, d,
				func() { proxy.Set(trouble.traffic) }, func() { proxy.Set(redistest.Flowing) }))
		}
	}
	return all
}

// redisOutages are what becomes of a server as a whole.
func redisOutages(t *testing.T, server *redistest.Server) []history.Fault {
	s := newSpell(t)
	var snapshot []byte
	unfences := func(f history.Fault) history.Fault {
		f.Unfences = true
		return f
	}
	set := func(name, value string) { server.Do("config", "set", name, value) }
	return []history.Fault{
		s.of("the server is paused", shortly, server.Pause, server.Resume),
		s.of("the server is paused", long, server.Pause, server.Resume),
		unfences(s.of("the server is killed, and empty afterwards", long, server.Kill, func() { server.Restore(nil) })),
		{Name: "the server is restarted", Befall: s.now(func() { server.Restore(nil) }), Unfences: true},
		{Name: "a snapshot is taken", Befall: s.now(func() { snapshot = server.Snapshot() })},
		{Name: "the server is restarted with an older snapshot", Befall: s.now(func() { server.Restore(snapshot) }), Unfences: true},
		s.of("the server is read-only", long,
			func() {
				server.Do("replicaof", "127.0.0.1", "1")
				server.Do("client", "kill", "type", "normal", "skipme", "yes") // as Sentinel does it
			},
			func() { server.Do("replicaof", "no", "one") }),
		s.of("the server has no memory left", long, func() { set("maxmemory", "1mb") }, func() { set("maxmemory", "0") }),
		{Name: "keys are evicted", Unfences: true, Befall: s.now(func() {
			used := strings.Split(server.Do("info", "memory").(string), "used_memory:")[1]
			n, _ := strconv.Atoi(strings.Fields(used)[0])
			set("maxmemory-policy", "allkeys-random")
			set("maxmemory", strconv.Itoa(n-rand.IntN(2000)))
			_ = server.Client().Set(t.Context(), "something else", strings.Repeat("x", 500), time.Second).Err() // this may be too much
			set("maxmemory", "0")
			set("maxmemory-policy", "noeviction")
		})},
	}
}

// redisFaults are what operators, crashes and evictions do to a server.
func redisFaults(server *redistest.Server) []history.Fault {
	client := server.Client()
	do := func(args ...any) func(context.Context) {
		return func(ctx context.Context) { client.Do(ctx, args...) }
	}
	// each runs command on every key that matches.
	each := func(pattern string, command ...any) func(context.Context) {
		return func(ctx context.Context) {
			for _, key := range client.Keys(ctx, pattern).Val() {
				client.Do(ctx, append([]any{command[0], key}, command[1:]...)...)
			}
		}
	}
	return []history.Fault{
		{Name: "everything is flushed", Befall: do("flushall"), Unfences: true},
		{Name: "the metadata is deleted", Befall: each("*:@", "del"), Unfences: true},
		{Name: "fences are deleted", Befall: each("*:@", "hdel", "f"), Unfences: true},
		{Name: "epochs are deleted", Befall: each("*:@", "hdel", "e")},
		{Name: "registrations are deleted", Befall: each("*:@", "hdel", "m")},
		{Name: "a generation is deleted", Befall: each("*:@", "hdel", "cwarm")},
		{Name: "values are deleted", Befall: each("*@*:*:*", "del")},
		{Name: "values are garbled", Befall: each("*@*:*:*", "setrange", "2", "\xff\xff\xff\xff")},
		{Name: "scripts are forgotten", Befall: do("script", "flush")},
		{Name: "connections are killed", Befall: do("client", "kill", "type", "normal")},
	}
}
