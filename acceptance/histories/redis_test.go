package histories_test

import (
	"context"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/seed-dad15c92/txcache/config"
	"github.com/seed-dad15c92/txcache/internal/history"
	"github.com/seed-dad15c92/txcache/internal/history/subject"
	"github.com/seed-dad15c92/txcache/internal/redistest"
)

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
	if sync == config.SyncLease { // a history takes a second or so
		cfg.Redis.Term, cfg.Redis.Wait = 20*time.Millisecond, 40*time.Millisecond
	}
	return *cfg
}

func nearName(near bool) string {
	if near {
		return "near"
	}
	return "remote"
}

// Announcements that are not proven to arrive are relied on for that long.
const unproven = 2 * time.Second

// pause is no fault but time for others to show.
func pause(d time.Duration) history.Fault {
	return history.Fault{Name: "a pause", Befall: func(context.Context) { time.Sleep(d) }}
}

// The promises hold between servers that share a Redis, of whatever kind, with
// and without a near cache: strictly by sync = "begin" and sync = "lease"; by a duration, with
// commits of other servers that much late; by sync = "channel", with those late
// that nobody is bound to have heard of.
func TestNoHistoryOverRedisViolatesAPromise(t *testing.T) {
	t.Parallel()
	const poll = 5 * time.Millisecond // some 50 steps
	for _, site := range redisSites {
		t.Run(site.name, func(t *testing.T) {
			t.Parallel()
			uri := site.start(t)
			for _, near := range []bool{true, false} {
				for _, driver := range drivers {
					name := nearName(near) + "/" + driver.name
					world := history.World{Servers: 3}
					t.Run("begin/"+name, func(t *testing.T) {
						histories{open: subject.Redis(redisSettings(uri, config.SyncBegin, near)), world: world, drive: driver.drive}.check(t)
					})
					t.Run("lease/"+name, func(t *testing.T) {
						histories{open: subject.Redis(redisSettings(uri, config.SyncLease, near)), world: world, drive: driver.drive}.check(t)
					})
					t.Run("poll/"+name, func(t *testing.T) {
						world.Late = poll
						sync := config.Sync(poll.String())
						histories{open: subject.Redis(redisSettings(uri, sync, near)), world: world, drive: driver.drive}.check(t)
					})
				}
			}
			if site.name != "Sentinel" && site.name != "Cluster" {
				return // TestNoAnnouncedHistoryViolatesAPromise asks for more
			}
			t.Run("channel", func(t *testing.T) {
				world := history.World{Servers: 3, Late: unproven, Faults: []history.Fault{pause(unproven)}}
				histories{open: subject.Redis(redisSettings(uri, config.SyncChannel, true)), world: world, steps: 100, length: 120}.check(t)
			})
		})
	}
}
