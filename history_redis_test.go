package txcache_test

import (
	"context"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/seed-dad15c92/txcache/config"
	"github.com/seed-dad15c92/txcache/internal/history"
	"github.com/seed-dad15c92/txcache/internal/history/subject"
	"github.com/seed-dad15c92/txcache/internal/redistest"
)

// historyFactor returns by how much longer than usual histories are played:
// what TXCACHE_HISTORY says, 1 without it.
func historyFactor(t *testing.T) int {
	text := os.Getenv("TXCACHE_HISTORY")
	if text == "" {
		return 1
	}
	factor, err := strconv.Atoi(text)
	if err != nil || factor < 1 {
		t.Fatalf("TXCACHE_HISTORY is %q, want a number of times", text)
	}
	return factor
}

// A redisHistory is histories of one kind.
type redisHistory struct {
	open   history.Open
	world  history.World
	steps  int // 2500
	length int // the default of package history
	drive  history.Driver
	hits   float64 // at least, of the look-ups; 0.15
}

// check plays histories. Each test has servers of its own, so that it can be
// played again alone.
func (h redisHistory) check(t *testing.T) {
	if h.steps == 0 {
		h.steps = 2500
	}
	if h.hits == 0 {
		h.hits = 0.15
	}
	seed := historySeed(t)
	report, err := history.Check(t.Context(), h.open, history.Options{
		Seed: seed, Steps: h.steps * historyFactor(t), Length: h.length, World: h.world, Driver: h.drive,
	})
	if err != nil {
		t.Fatalf("to play it again: TXCACHE_SEED=<its seed> go test -run '%s'\n%v", t.Name(), err)
	}
	t.Logf("seed %d: %v", seed, report)
	// A share says something only of many look-ups; of few, some must hit.
	if report.Hits == 0 || report.Lookups >= 500 && float64(report.Hits) < h.hits*float64(report.Lookups) {
		t.Errorf("seed %d: %d hits in %d look-ups; a cache that misses proves nothing", seed, report.Hits, report.Lookups)
	}
}

var drivers = []struct {
	name  string
	drive history.Driver
}{{"interleaved", history.Interleave}, {"racing", history.Race}}

// redisSites are the ways to run Redis, each by what starts it and returns its
// URI.
var redisSites = []struct {
	name  string
	start func(t *testing.T) string
}{
	{"miniredis", func(t *testing.T) string { return "redis://" + miniredis.RunT(t).Addr() + "/0" }},
	{"server", func(t *testing.T) string { return redistest.Start(t).URI() }},
	{"Sentinel", func(t *testing.T) string { return redistest.StartSentinels(t).URI() }},
	{"Cluster", func(t *testing.T) string { return redistest.StartCluster(t).URI() }},
}

// redisSettings returns those of stores at uri, with limits for a machine that
// is busy.
func redisSettings(uri string, sync config.Sync, near bool) config.Config {
	cfg := config.Default()
	cfg.Redis.URI, cfg.Sync, cfg.Redis.Near = uri, sync, near
	cfg.Redis.DialTimeout, cfg.Redis.Timeout = 2*time.Second, 5*time.Second
	return *cfg
}

func nearName(near bool) string {
	if near {
		return "near"
	}
	return "remote"
}

// The promises hold between servers that share a Redis, of whatever kind, with
// and without a near cache: strictly by sync = "begin"; by a duration, with
// commits of other servers that much late; by sync = "channel", with those late
// that nobody is bound to have heard of.
func TestNoHistoryOverRedisViolatesAPromise(t *testing.T) {
	t.Parallel()
	const (
		poll = 5 * time.Millisecond // some 50 steps

		// Announcements that are not proven to arrive are relied on for that long.
		unproven = 2 * time.Second
	)
	pause := history.Fault{Name: "a pause", Befall: func(context.Context) { time.Sleep(unproven) }}
	for _, site := range redisSites {
		t.Run(site.name, func(t *testing.T) {
			t.Parallel()
			uri := site.start(t)
			for _, near := range []bool{true, false} {
				for _, driver := range drivers {
					name := nearName(near) + "/" + driver.name
					world := history.World{Servers: 3}
					t.Run("begin/"+name, func(t *testing.T) {
						redisHistory{open: subject.Redis(redisSettings(uri, config.SyncBegin, near)), world: world, drive: driver.drive}.check(t)
					})
					t.Run("poll/"+name, func(t *testing.T) {
						world.Late = poll
						sync := config.Sync(poll.String())
						redisHistory{open: subject.Redis(redisSettings(uri, sync, near)), world: world, drive: driver.drive}.check(t)
					})
				}
			}
			if site.name != "Sentinel" && site.name != "Cluster" {
				return // TestNoAnnouncedHistoryViolatesAPromise asks for more
			}
			t.Run("channel", func(t *testing.T) {
				world := history.World{Servers: 3, Late: unproven, Faults: []history.Fault{pause}}
				redisHistory{open: subject.Redis(redisSettings(uri, config.SyncChannel, true)), world: world, steps: 100, length: 120}.check(t)
			})
		})
	}
}

// By sync = "channel" too nothing is late any more once the announcements have
// arrived: none is lost or misunderstood.
func TestNoAnnouncedHistoryViolatesAPromise(t *testing.T) {
	t.Parallel()
	for _, site := range []struct {
		name  string
		start func(t *testing.T) (addr string)
	}{
		{"miniredis", func(t *testing.T) string { return miniredis.RunT(t).Addr() }},
		{"server", func(t *testing.T) string { return redistest.Start(t).Addr }},
	} {
		t.Run(site.name, func(t *testing.T) {
			t.Parallel()
			addr := site.start(t)
			for _, near := range []bool{true, false} {
				for _, driver := range drivers {
					t.Run(nearName(near)+"/"+driver.name, func(t *testing.T) {
						redisHistory{open: subject.Channel(addr, near), world: history.World{Servers: 3}, drive: driver.drive}.check(t)
					})
				}
			}
		})
	}
}

// What befalls a server costs hits, or has a commit refused, and no more.
func TestNoFaultOfRedisViolatesAPromise(t *testing.T) {
	t.Parallel()
	for _, sync := range []config.Sync{config.SyncBegin, "5ms"} {
		for _, driver := range drivers {
			t.Run(string(sync)+"/"+driver.name, func(t *testing.T) {
				t.Parallel()
				server := redistest.Start(t)
				// A small world, so that in the moment of a fault many are there.
				world := history.World{
					Late: sync.Every(), Faults: redisFaults(server), Databases: []string{"a"}, Keys: []string{"k"}, People: []history.Who{{}},
					Caches: []history.CacheSpec{{Name: "b", ContextFree: true}, {Name: "warm", Table: 1, ContextFree: true, Warm: true}},
				}
				redisHistory{
					open:  subject.Redis(redisSettings(server.URI(), sync, true)),
					world: world,
					drive: driver.drive,
					hits:  0.05,
				}.check(t)
			})
		}
	}
}

// Random histories seldom have a reader begin, fill and be followed by another
// between a fault within a commit and the end of that. This is such a history.
func TestNoFaultWithinACommitViolatesAPromise(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	for _, fault := range redisFaults(server) {
		t.Run(fault.Name, func(t *testing.T) {
			world := history.DefaultWorld()
			world.Faults = []history.Fault{fault}
			out, err := history.Interleave(t.Context(), subject.Redis(redisSettings(server.URI(), config.SyncBegin, true)), history.History{World: world, Steps: []history.Step{
				{Tx: 1, Do: history.Begin}, {Tx: 1, Do: history.Write}, {Tx: 1, Do: history.Commit}, // up to the database's commit
				{Tx: 2, Do: history.Break},
				{Tx: 3, Do: history.Begin, Server: 1, ReadOnly: true}, {Tx: 3, Do: history.Fill}, {Tx: 3}, {Tx: 3},
				{Tx: 1}, // committed in the database
				{Tx: 4, Do: history.Begin, Server: 1, ReadOnly: true}, {Tx: 4, Do: history.Get},
				{Tx: 1}, // returned
				{Tx: 5, Do: history.Begin, Server: 1, ReadOnly: true}, {Tx: 5, Do: history.Get},
			}}, true)
			if err != nil {
				t.Fatal(err)
			}
			if len(out.Violations) > 0 {
				t.Errorf("%v\n%s", out.Violations[0], strings.Join(out.Story, "\n"))
			}
		})
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
		{Name: "a generation is deleted", Befall: each("*:@", "hdel", "cwarm")},
		{Name: "values are deleted", Befall: each("*@*:*:*", "del")},
		{Name: "values are garbled", Befall: each("*@*:*:*", "setrange", "2", "\xff\xff\xff\xff")},
		{Name: "scripts are forgotten", Befall: do("script", "flush")},
		{Name: "connections are killed", Befall: do("client", "kill", "type", "normal")},
	}
}
