package processes

import "sync/atomic"

// What the board knows of a write is one word: whether it was sent to be
// committed, whether it was undone for certain, whether everybody must know of
// it once the database shows it, its row, and the count of faults when its
// transaction placed its fence.
const (
	sentBit    = 1 << 0
	undoneBit  = 1 << 1
	countsBit  = 1 << 2
	rowShift   = 3
	faultShift = 20
)

// drawn notes that the number of a write was drawn for a row.
func (b *Board) drawn(write int, r row) {
	atomic.StoreUint64(&b.writes[write], uint64(r)<<rowShift)
}

// sent notes that a write is about to be committed, by a transaction that began
// to do so when the count of faults was faults.
func (b *Board) sent(write int, r row, faults uint64) {
	atomic.StoreUint64(&b.writes[write], sentBit|uint64(r)<<rowShift|faults<<faultShift)
}

// undone notes that nobody will ever see a write in the database.
func (b *Board) undone(write int) { atomic.OrUint64(&b.writes[write], undoneBit) }

// counts notes that who begins from now on must know of a write, if the
// database shows it.
func (b *Board) counts(write int) { atomic.OrUint64(&b.writes[write], countsBit) }

// A write is what is known of one.
type write struct {
	row          row
	sent, undone bool
}

func (b *Board) write(n int) (write, bool) {
	if n <= 0 || n >= len(b.writes) {
		return write{}, false
	}
	w := atomic.LoadUint64(&b.writes[n])
	return write{row: row(w >> rowShift & (1<<(faultShift-rowShift) - 1)), sent: w&sentBit != 0, undone: w&undoneBit != 0}, true
}

// saw notes that the database shows a version to everybody.
//
// It does not count where a fault may have taken the fence of its commit down
// before the commit took effect. If there was no fault up to now, then there was
// none before.
func (b *Board) saw(r row, v version) {
	raise(&b.lives[r.database()], uint64(v.life()))
	w := atomic.LoadUint64(&b.writes[v.write()])
	if faults := w >> faultShift; w&countsBit != 0 || faults%2 == 0 && faults == b.Count(Faults) {
		raise(&b.lowerBounds[r], uint64(v))
	}
}

// known notes that who begins from now on must know of a version.
func (b *Board) known(r row, v version) { raise(&b.lowerBounds[r], uint64(v)) }

// born notes that a database is in a life.
func (b *Board) born(database, life int) { raise(&b.lives[database], uint64(life)) }

// A lowerBound is what a transaction must know of.
type lowerBound struct {
	rows  []version
	lives []int
}

func newLowerBound() lowerBound {
	return lowerBound{make([]version, rows), make([]int, len(world.Databases))}
}

// read makes f what everybody must know of by now.
func (f lowerBound) read(b *Board) {
	for i := range f.rows {
		f.rows[i] = version(atomic.LoadUint64(&b.lowerBounds[i]))
	}
	for i := range f.lives {
		f.lives[i] = int(atomic.LoadUint64(&b.lives[i]))
	}
}

func (f lowerBound) copy(from lowerBound) {
	copy(f.rows, from.rows)
	copy(f.lives, from.lives)
}
