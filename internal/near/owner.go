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

// weigh returns about how many bytes an entry takes.
func (m *Map[K, V]) weigh(e *Entry[K, V]) int {
	if m.owner == nil {
		return 0
	}
	return memsize.Class(int(unsafe.Sizeof(*e))) + m.owner.Weigh(&e.key, &e.value)
}

// mean returns what an entry weighs in the mean: so much is taken off for one that goes, as
// nobody has kept its own weight, nor may its value be looked at any more.
func (m *Map[K, V]) mean() int { return m.weight / max(1, m.count) }

// tell tells the owner of so many more values, and of bytes once they have changed by a sixteenth:
// then what others count need not change with every entry.
func (m *Map[K, V]) tell(values int) {
	if m.owner == nil || m.told == nothingMore {
		return
	}
	more := m.weight + m.table.Load().bytes() + m.policy.bytes() - m.told
	if m.count > 0 && max(more, -more) <= m.told/16 {
		more = 0
	}
	m.told += more
	if values != 0 || more != 0 {
		m.owner.Changed(values, more)
	}
}
