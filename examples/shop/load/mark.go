package load

import (
	"fmt"
	"sync"
	"sync/atomic"
)

// A mark is what is known of the price of one product in one shop. Prices that
// are written only rise, so that one that is read tells how old it is. 0 stands
// for a product that is not there.
type mark struct {
	shop     string
	product  int64
	category int64

	writing sync.Mutex // held by whoever is changing the price

	// sent is the highest price that was sent to a server.
	sent atomic.Int64

	// floor is the newest price that a server said it has committed, or that
	// somebody was shown. Whoever asks from now on must not be shown an older one.
	floor atomic.Int64

	mu      sync.Mutex
	refused map[int64]bool // prices whose changes were refused: never anyone's to see
}

func newMark(shop string, product, category int64) *mark {
	return &mark{shop: shop, product: product, category: category, refused: map[int64]bool{}}
}

// refuse notes that a price must never be seen.
func (m *mark) refuse(price int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.refused[price] = true
}

// raise notes that a price was committed.
func (m *mark) raise(price int64) {
	for {
		old := m.floor.Load()
		if old >= price || m.floor.CompareAndSwap(old, price) {
			return
		}
	}
}

// check returns what is wrong with a price that was read, "" if nothing is. The
// floor is that of the moment before the read was sent.
func (m *mark) check(floor, price int64) string {
	m.mu.Lock()
	refused := m.refused[price]
	m.mu.Unlock()
	switch {
	case refused:
		return fmt.Sprintf("shop %s, product %d: shown %d, a change that was refused", m.shop, m.product, price)
	case price < floor:
		return fmt.Sprintf("shop %s, product %d: shown %d after %d was committed", m.shop, m.product, price, floor)
	case price > m.sent.Load():
		return fmt.Sprintf("shop %s, product %d: shown %d, which nobody has sent", m.shop, m.product, price)
	}
	m.raise(price)
	return ""
}
