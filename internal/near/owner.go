package near

import (
	"math"
	"unsafe"

	"github.com/seed-dad15c92/txcache/internal/memsize"
)

// An Owner is told what its Map keeps. Changed and Evicted are called with the lock of the
// map held.
type Owner[K comparable, V any] interface {
	// Weigh returns about how many bytes a key and its value refer to. It is called before the map
	// has them, without its lock.
	Weigh(key *K, value *V) int

	// Changed says how many more values the map keeps, and how many more bytes they take
	// together with its table; fewer if the numbers are negative.
	Changed(values, bytes int)

	// Evicted says that a value has been pushed out because there was no room.
	Evicted()
}

// nothingMore is what an owner knows of a Map that was retired.
const nothingMore = math.MinInt

// weigh returns the weight of an entry.
func (m *Map[K, V]) weigh(e *Entry[K, V]) weight {
	if m.owner == nil {
		return 0
	}
	return weightOf(m.owner.Weigh(&e.key, &e.value))
}

// bare returns how many bytes an entry takes that refers to nothing.
func (m *Map[K, V]) bare() int { return memsize.Class(int(unsafe.Sizeof(Entry[K, V]{}))) }

// reweigh makes w the weight of what is in a slot, 0 if nothing is. What goes takes its own weight with
// it: large values may come, stay or be replaced more often than small ones.
func (m *Map[K, V]) reweigh(t *table[K, V], slot int, w weight) {
	m.weight += w.bytes() - t.weight(slot).bytes()
	t.setWeight(slot, w)
}

// tell tells the owner of so many more values, and of bytes once they have changed by a sixteenth:
// then what others count need not change with every entry.
func (m *Map[K, V]) tell(values int) {
	if m.owner == nil || m.told == nothingMore {
		return
	}
	more := m.weight + m.count*m.bare() + m.table.Load().bytes() + m.policy.bytes() - m.told
	if m.count > 0 && max(more, -more) <= m.told/16 {
		more = 0
	}
	m.told += more
	if values != 0 || more != 0 {
		m.owner.Changed(values, more)
	}
}
