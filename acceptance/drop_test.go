package acceptance_test

import (
	"fmt"
	"testing"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/internal/redistest"
	"github.com/seed-dad15c92/txcache/internal/storetest"
)

// A database that was dropped leaves nothing in the process, whichever the
// backend.
func TestADroppedDatabaseLeavesNothing(t *testing.T) {
	n := map[string]int{"memory": 50_000, "values": 50_000, "redis": 5_000}
	for _, s := range []storetest.Setup{storetest.Setups[0], storetest.Setups[1], {Name: "redis", Open: storetest.OverServer(redistest.Start(t))}} {
		t.Run(s.Name, func(t *testing.T) {
			store := s.Open(t, 1, txcache.Options{})[0]
			c := storetest.NewCache[int, int](t, store, "c", txcache.CacheOptions{})
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
			before := storetest.Heap()
			life(200, 200+n[s.Name])
			if each := (int64(storetest.Heap()) - int64(before)) / int64(n[s.Name]); each > 20 {
				t.Errorf("each database that was dropped leaves %d bytes", each)
			}
		})
	}
}
