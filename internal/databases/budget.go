package databases

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
)

// A budget bounds what the databases of a process keep, by an estimate of bytes. What was not used
// for longest goes first, in two steps: databases leave altogether, and from those that are
// in use go the values that nobody has asked for.
//
// The order is that of S3-FIFO (Yang et al., "FIFO queues are all you need for cache eviction",
// 2023), with databases for objects. A database is fresh until it has been used again some
// time after its first use, or comes back soon after it had to leave; most are not, and leave without
// anything of the others being looked at.
//
// Over the others a hand goes round. From a database that was used since it last came by it takes the
// values that were not; one that was not used leaves, after as many rounds as it was used in, at most
// three. And a database that has many times more than the others takes the room for its values mostly
// from itself: it cannot push them out.
//
// Time is measured in bytes that came, so where there is room nothing is done.
type budget struct {
	registry *Registry
	seed     maphash.Seed
	limit    int64
	unit     int64         // bytes for each tick
	used     atomic.Int64  // bytes now
	grown    atomic.Int64  // bytes that came, ever
	tick     atomic.Uint32 // grown in units
	left     atomic.Uint64 // databases that left

	mu    sync.Mutex
	fresh line
	kept  line
	slots int    // that may still be looked at; see mostSlots
	gone  []mark // of those that have left lately, by hash of their name; nil: none have
}

const (
	ticks      = 64      // in the time in which as much comes as there is room for
	lately     = 8       // a database that was used fewer ticks ago stays as long as values can go
	freshShare = 8       // one in so many databases is fresh, or more
	whale      = 4       // times the mean is what many times more means
	ownSlots   = 4096    // that are looked at in a database that has so much, before the hand moves
	trimSlots  = 1024    // that are looked at under the lock of one map
	mostSlots  = 1 << 15 // that are looked at for one value that came: the next goes on there
	mostSlack  = 1 << 18 // bytes by which more room is made than is needed
	mostLives  = 3
	goneMarks  = 1 << 16
	reach      = 4 // a database that left is remembered while so many times more leave than there are

	// databaseBytes is about how much a database takes by itself, in this package and in the backend,
	// besides what its state remembers.
	databaseBytes = 2 << 10
)

func newBudget(r *Registry, limit int64) *budget {
	return &budget{registry: r, seed: maphash.MakeSeed(), fresh: line{place: fresh}, kept: line{place: kept}, limit: limit, unit: max(1, limit/ticks)}
}

// touch takes note that db is used.
func (b *budget) touch(db *Database) {
	if now := b.tick.Load(); db.seen.Load() != now {
		db.seen.Store(now)
	}
}

// Account counts so many more bytes that the process keeps of db, fewer if n is negative.
func (db *Database) Account(n int) {
	b := db.budget
	db.bytes.Add(int64(n))
	b.used.Add(int64(n))
	if n > 0 {
		b.tick.Store(uint32(b.grown.Add(int64(n)) / b.unit))
	}
}

// Relieve makes room if there is too little. Its caller has just accounted for more, and
// holds no lock of this package or of package near.
func (db *Database) Relieve() { db.budget.makeRoom(db) }

// makeRoom is Relieve; by is nil if room is made for a database that comes.
func (b *budget) makeRoom(by *Database) {
	used := b.used.Load()
	if used <= b.limit {
		return
	}
	if used-b.limit > b.limit/16 {
		b.mu.Lock() // values must not come faster than room is made
	} else if !b.mu.TryLock() {
		return
	}
	defer b.mu.Unlock()
	now := b.tick.Load()
	if by != nil {
		by.seen.Store(now) // it is in use, though its transaction may have begun long ago
	}
	b.relieve(by, now)
}

// relieve makes room, a little more than is needed, at the tick now; by is as in makeRoom. b.mu is held.
func (b *budget) relieve(by *Database, now uint32) {
	enough := b.limit - min(b.limit/ticks, mostSlack)
	b.slots = mostSlots
	// Each database is met a few times at most: all of its values have gone by then, but those that
	// are in use all the time.
	for n := 8 * (b.len() + 1); n > 0 && b.slots > 0 && b.used.Load() > enough; n-- {
		if by != nil && by.place != nowhere && by.bytes.Load() > whale*b.used.Load()/int64(b.len()) {
			b.trim(by, ownSlots, enough)
			if b.used.Load() <= enough {
				return
			}
		}
		b.advance(enough, now, n > 4*b.len())
	}
}

// advance decides about the next database, at the tick now. values says that there may be values yet that
// can go. Where databases are few the hand comes by more than once at a time.
func (b *budget) advance(enough int64, now uint32, values bool) {
	q := &b.kept
	if b.fresh.len > 0 && (b.kept.len == 0 || b.fresh.len > b.len()/freshShare) {
		q = &b.fresh
	}
	db := q.first
	if db == nil {
		return
	}
	seen := db.seen.Load()
	used := seen >= db.passed || values && now-seen < lately // it may be used all the time, and the hand come by often
	if q == &b.fresh {
		used = seen > db.passed
	}
	switch {
	case !used && db.lives == 0 && b.registry.leave(db):
		b.remove(db)
		b.left.Add(1)
		b.remember(db)
		return
	case q == &b.fresh:
	case !used && db.lives > 0:
		db.lives--
	case b.trim(db, b.slots, enough):
		db.lives = min(db.lives+1, mostLives)
	default:
		return // it goes on there next time
	}
	q.remove(db)
	b.kept.add(db)
	db.passed = now
}

// trim lets go of values of db that nobody has used since it last did, until there is room
// enough, or so many slots were looked at. It reports whether it has come to the end of db.
func (b *budget) trim(db *Database, slots int, enough int64) (end bool) {
	all := db.all()
	for ; int(db.trimmed) < len(all); slots -= trimSlots {
		if slots <= 0 || b.used.Load() <= enough {
			return false
		}
		b.slots -= trimSlots
		if g := all[db.trimmed]; g.cache.Contents.Trim(g.contents, trimSlots) {
			db.trimmed++
		}
	}
	db.trimmed = 0
	return true
}

// join adds a database that has just come.
func (b *budget) join(db *Database) {
	b.touch(db)
	b.mu.Lock()
	defer b.mu.Unlock()
	if db.place == nowhere {
		db.passed = b.tick.Load()
		if b.remembers(db) {
			b.kept.add(db)
		} else {
			b.fresh.add(db)
		}
		db.Account(databaseBytes)
	}
}

// A mark says that a database with some hash has left, and which of all it was.
type mark struct{ hash, number uint32 }

// remember takes note that db has left.
func (b *budget) remember(db *Database) {
	if b.gone == nil {
		b.gone = make([]mark, goneMarks)
	}
	at, hash := b.hash(db)
	b.gone[at] = mark{hash, uint32(b.left.Load())}
}

// remembers reports whether db left not long ago: a few times as many as there are have left since.
func (b *budget) remembers(db *Database) bool {
	if b.gone == nil {
		return false
	}
	at, hash := b.hash(db)
	m := b.gone[at]
	return m.hash == hash && int(uint32(b.left.Load())-m.number) < reach*b.len()
}

func (b *budget) hash(db *Database) (at int, hash uint32) {
	h := maphash.String(b.seed, db.Name)
	return int(h % goneMarks), uint32(h>>32) | 1
}

// part removes a database that was dropped.
func (b *budget) part(db *Database) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if db.place != nowhere {
		b.remove(db)
	}
}

// remove removes a database that was joined. b.mu is held.
func (b *budget) remove(db *Database) {
	if db.place == fresh {
		b.fresh.remove(db)
	} else {
		b.kept.remove(db)
	}
	db.Account(-databaseBytes)
}

// len returns how many databases there are. b.mu is held.
func (b *budget) len() int { return b.fresh.len + b.kept.len }
