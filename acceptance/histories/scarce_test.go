package histories_test

import (
	"testing"

	"github.com/seed-dad15c92/txcache/config"
	"github.com/seed-dad15c92/txcache/internal/history"
	"github.com/seed-dad15c92/txcache/internal/history/subject"
	"github.com/seed-dad15c92/txcache/internal/redistest"
)

// A database that leaves a process as others need its memory, and comes back, violates no promise.
func TestNoHistoryOverRedisWithScarceMemoryViolatesAPromise(t *testing.T) {
	t.Parallel()
	uri := redistest.Start(t).URI()
	for _, sync := range []config.Sync{config.SyncBegin, config.SyncLease} {
		for _, driver := range drivers {
			t.Run(string(sync)+"/"+driver.name, func(t *testing.T) {
				t.Parallel()
				cfg := redisSettings(uri, sync, true)
				cfg.Memory = config.Memory(config.Bytes(subject.ScarceMemory).String())
				enough := func(report history.Report) bool { return report.Counts["Left"] >= 10 }
				report := histories{open: subject.Redis(cfg), world: manyDatabases(), drive: driver.drive, hits: 0.05, enough: enough}.check(t)
				if !enough(report) {
					t.Errorf("%d databases have left, so nothing was shown", report.Counts["Left"])
				}
			})
		}
	}
}
