package near

import (
	"math/rand/v2"
	"testing"
)

// The entries that expire are looked for as long as there are any, and no longer.
func TestEntriesThatExpireAreCounted(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	m := New[int, int](100)
	for i := range 50_000 {
		key := r.IntN(300)
		hash := uint64(key) * 0x9E3779B97F4A7C15 >> 32
		switch r.IntN(20) {
		case 0:
			m.Expire(key, hash)
		case 1:
			m.Trim(r.IntN(20))
		case 2:
			if r.IntN(100) == 0 {
				m.Retire()
			}
		default:
			m.Set(key, hash, i, []int64{0, 0, 1 << 62, Now() - 1}[r.IntN(4)], 0)
		}
		timed := uint32(0)
		if table := m.table.Load(); table != nil {
			for slot := range table.slots() {
				if e := table.slot(slot).Load(); e != nil && e.expires != 0 {
					timed++
				}
			}
		}
		if m.timed != timed {
			t.Fatalf("after %d calls %d entries expire; %d are counted", i+1, timed, m.timed)
		}
	}
}
