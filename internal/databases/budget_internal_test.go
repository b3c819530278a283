package databases

import (
	"testing"

	"github.com/seed-dad15c92/txcache/memorybackend"
)

// A database that is not used any more leaves after as many rounds of the hand as it was used in, at most
// three.
func TestADatabaseStaysAsLongAsItWasUsed(t *testing.T) {
	for used, want := range []int{0, 1, 2, 3, 3, 3} {
		b := New(Options{Backend: memorybackend.New(), Memory: 1 << 20}).budget
		db, err := b.registry.database("shop")
		if err != nil {
			t.Fatal(err)
		}
		tick := uint32(1)
		round := func(use bool) {
			tick += 2
			b.tick.Store(tick)
			if use {
				b.touch(db)
			}
			b.mu.Lock()
			defer b.mu.Unlock()
			b.slots = mostSlots
			b.advance(0, tick+1, false)
		}
		round(true) // it is fresh no more
		for range used {
			round(true)
		}
		stayed := -1
		for ; db.place != nowhere; stayed++ {
			round(false)
		}
		if stayed != want {
			t.Errorf("used in %d rounds it has stayed for %d, want %d", used, stayed, want)
		}
	}
}
