package subject

import (
	"context"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/internal/history"
)

// Counts returns counts of txcache.Status, and of txcache.Stats of all caches together, by their
// names there.
func (s *server) Counts() map[string]uint64 {
	counts := map[string]uint64{"Left": s.Status().Left}
	for c := range s.Stats() {
		for what, n := range map[string]uint64{
			"Loads": c.Loads, "LoadErrors": c.LoadErrors, "AbsentHits": c.AbsentHits, "Shared": c.Shared,
			"Leased": c.Leased, "Waited": c.Waited, "EarlyRefreshes": c.EarlyRefreshes, "ExpiredHits": c.ExpiredHits,
			"Verified": c.Verified, "Mismatches": c.Mismatches,
			"Deletes": c.Deletes, "Deleted": c.Deleted, "Floored": c.Floored, "Floors": c.Floors,
		} {
			counts[what] += n
		}
	}
	return counts
}

// onStale reports a stale hit to the history.
func onStale(ctx context.Context, hit txcache.StaleHit) {
	history.ReportStale(ctx, value(hit.Cached), value(hit.Loaded))
}

// value returns what a stale hit shows, nil if it is absent.
func value(shown any) *history.Value {
	if v, ok := shown.(history.Value); ok {
		return &v
	}
	return nil
}
