package acceptance_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/internal/storetest"
)

// Callers that leave, at any moment, say nothing about the backend: they count as
// no error of it, and no record of the log speaks of one.
func TestACallerThatLeavesIsNoErrorOfTheBackend(t *testing.T) {
	for _, s := range storetest.Setups {
		if !s.Remote {
			continue
		}
		t.Run(s.Name, func(t *testing.T) {
			var log strings.Builder
			store := s.Open(t, 1, txcache.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})[0]
			for _, lease := range []time.Duration{-1, time.Second} {
				c := storetest.NewCache[int, int](t, store, "lease "+lease.String(), txcache.CacheOptions{Lease: lease})
				for k := range 20 {
					ctx, leave := context.WithCancel(t.Context())
					tx, err := store.BeginReadOnly(ctx, "db")
					if err != nil {
						t.Fatal(err)
					}
					if k%2 == 0 {
						leave() // before the backend is asked
					}
					c.Get(ctx, tx, k)
					c.GetMany(ctx, tx, []int{k, -k})
					c.Load(ctx, tx, k, func(context.Context) (int, error) { leave(); return k, nil })
					tx.Commit(ctx)
				}
				if got := c.Stats().RemoteErrors; got > 0 {
					t.Errorf("%d errors of the backend are counted; it was well all the time", got)
				}
			}
			if log.Len() > 0 {
				t.Errorf("the log says:\n%s", log.String())
			}
		})
	}
}
