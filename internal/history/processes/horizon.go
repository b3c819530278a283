package processes

import (
	"sync"
	"sync/atomic"
	"time"
)

// A horizon says what a transaction that begins in this process must know of:
// what this process did, and what the others did as long ago as the store may
// be late.
type horizon struct {
	board *Board
	late  time.Duration
	rows  []uint64 // this process's own
	lives []uint64

	mu     sync.Mutex
	passed []sight // oldest first; empty if nothing may be late
}

// A sight is what everybody had to know of at some moment.
type sight struct {
	at time.Time
	lowerBound
}

// sights is how many of them are taken in the time that the store may be late.
const sights = 8

func newHorizon(b *Board, late time.Duration) *horizon {
	return &horizon{board: b, late: late, rows: make([]uint64, rows), lives: make([]uint64, len(world.Databases))}
}

// did notes that this process has committed a version.
func (h *horizon) did(r row, v version) { raise(&h.rows[r], uint64(v)) }

// made notes that this process has begun a life of a database.
func (h *horizon) made(database, life int) { raise(&h.lives[database], uint64(life)) }

// look makes f what a transaction that begins now must know of.
func (h *horizon) look(f lowerBound) {
	if h.late == 0 {
		f.read(h.board)
	} else {
		h.lookBack(f)
	}
	for i := range f.rows {
		f.rows[i] = max(f.rows[i], version(atomic.LoadUint64(&h.rows[i])))
	}
	for i := range f.lives {
		f.lives[i] = max(f.lives[i], int(atomic.LoadUint64(&h.lives[i])))
	}
}

func (h *horizon) lookBack(f lowerBound) {
	h.mu.Lock()
	defer h.mu.Unlock()
	now := time.Now()
	if n := len(h.passed); n == 0 || now.Sub(h.passed[n-1].at) > h.late/sights {
		s := sight{lowerBound: newLowerBound()}
		s.read(h.board)
		s.at = time.Now() // after it was read
		h.passed = append(h.passed, s)
	}
	then := now.Add(-h.late)
	for len(h.passed) > 1 && !h.passed[1].at.After(then) {
		h.passed = h.passed[1:]
	}
	if s := h.passed[0]; !s.at.After(then) {
		f.copy(s.lowerBound)
		return
	}
	clear(f.rows)
	clear(f.lives)
}
