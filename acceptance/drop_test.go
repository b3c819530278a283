package acceptance_test

import (
	"fmt"
	"testing"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/internal/redistest"
)

// A database that was dropped leaves nothing in the process, whichever the
// backend.
func TestADroppedDatabaseLeavesNothing(t *testing.T) {
	n := map[string]int{"memory": 50_000, "values": 50_000, "redis": 5_000}
	for _, s := range []setup{setups[0], setups[1], {name: "redis", open: overServer(redistest.Start(t))}} {
		t.Run(s.name, func(t *testing.T) {
			store := s.open(t, 1, txcache.Options{})[0]
			c := newCache[int, int](t, store, "c", txcache.CacheOptions{})
			life := func(from, to int) {
				for i := from; i < to; i++ {
					name := fmt.Sprint("database", i)
					err := store.View(t.Context(), name, func(tx *txcache.Tx) error { c.Set(tx, 1, 1); return nil })
					if err == nil {
						err = store.Clear(t.Context(), name, "c")
					}
					if err == nil {
						err = store.Drop(t.Context(), name)
					}
					if err != nil {
						t.Fatal(err)
					}
				}
			}
			life(0, 200)
			before := heap()
			life(200, 200+n[s.name])
			if each := (int64(heap()) - int64(before)) / int64(n[s.name]); each > 20 {
				t.Errorf("each database that was dropped leaves %d bytes", each)
			}
		})
	}
}
