package histories_test

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/seed-dad15c92/txcache/config"
	"github.com/seed-dad15c92/txcache/internal/history"
	"github.com/seed-dad15c92/txcache/internal/history/subject"
	"github.com/seed-dad15c92/txcache/internal/redistest"
	"github.com/seed-dad15c92/txcache/internal/storetest"
)

// A master dies, and with it what its replica has missed.
func TestNoFailoverViolatesAPromise(t *testing.T) {
	storetest.Slow(t)
	t.Parallel()
	for _, site := range []struct {
		name  string
		start func(t *testing.T, s *spell) (uri string, faults []history.Fault)
	}{
		{"Sentinel", func(t *testing.T, s *spell) (string, []history.Fault) {
			sentinels := redistest.StartSentinels(t)
			return sentinels.URI(), []history.Fault{
				{Name: "replication stops", Befall: s.now(sentinels.Detach)},
				{Name: "failover", Befall: s.now(sentinels.Failover), Unfences: true},
			}
		}},
		{"Cluster", func(t *testing.T, s *spell) (string, []history.Fault) {
			cluster := redistest.StartCluster(t)
			return cluster.URI(), []history.Fault{
				s.of("a node is paused", long, cluster.Replicas[0].Pause, cluster.Replicas[0].Resume),
				{Name: "failover", Befall: s.now(func() { cluster.Failover(rand.IntN(len(cluster.Masters))) }), Unfences: true},
			}
		}},
	} {
		for _, sync := range []config.Sync{config.SyncBegin, config.SyncLease, config.SyncChannel} {
			t.Run(site.name+"/"+string(sync), func(t *testing.T) {
				t.Parallel()
				s := newSpell(t)
				world := smallWorld()
				cfg := promptSettings(sync)
				cfg.Redis.URI, world.Faults = site.start(t, s)
				t.Cleanup(s.all.Wait) // before the servers end
				world.Faults = append(world.Faults, pause(long))
				if sync == config.SyncChannel {
					world.Late = unproven
				}
				histories{open: subject.Redis(cfg), world: world, steps: 150 * min(3, historyFactor(t)), length: 150, hits: 0.02, patience: time.Minute}.check(t)
			})
		}
	}
}

// Scenario 14: when the server's clock is set a quarter of an hour forward or
// back, no result changes.
func TestNoClockViolatesAPromise(t *testing.T) {
	t.Parallel()
	for _, site := range []struct {
		name  string
		start func(t *testing.T) (addr string, set func(time.Duration))
	}{
		{"miniredis", func(t *testing.T) (string, func(time.Duration)) {
			server := miniredis.RunT(t)
			return server.Addr(), func(by time.Duration) { server.SetTime(time.Now().Add(by)) }
		}},
		{"server", func(t *testing.T) (string, func(time.Duration)) {
			server, clock := redistest.StartWithClock(t)
			return server.Addr, clock.Set
		}},
	} {
		for _, sync := range []config.Sync{config.SyncBegin, config.SyncLease} {
			for _, driver := range drivers {
				t.Run(site.name+"/"+string(sync)+"/"+driver.name, func(t *testing.T) {
					t.Parallel()
					addr, set := site.start(t)
					world := smallWorld()
					for _, jump := range []time.Duration{-15 * time.Minute, 0, 15 * time.Minute} {
						world.Faults = append(world.Faults, history.Fault{
							Name:   "the server's clock is wrong by " + jump.String(),
							Befall: func(context.Context) { set(jump) },
						})
					}
					world.Faults = append(world.Faults, pause(10*time.Millisecond))
					cfg := redisSettings("redis://"+addr, sync, true)
					histories{open: subject.Redis(cfg), world: world, drive: driver.drive}.check(t)
					longest, fault, err := history.Recover(t.Context(), subject.Redis(cfg), world, storetest.Recovery)
					if err != nil {
						t.Fatal(err)
					}
					t.Logf("the longest until the caches were in use again took %v: %s", longest, fault)
				})
			}
		}
	}
}
