package redisbackend

import (
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-dad15c92/txcache/backend"
)

// A database is what a process knows of one. When it is dropped, another takes
// its place as soon as one is needed. Requests that are under way keep to the
// old one for what they have begun, and learn nothing into it any more.
type database struct {
	name      string
	hash      string                // the key of its hash
	announced string                // what stands for it in messages
	last      atomic.Pointer[known] // nil: nothing; stored under mu

	mu      sync.Mutex
	gone    bool   // it was dropped
	changes uint64 // how often another State, or none, took the place of last
	marks   uint64 // how often a change was announced or begun
	mark    mark   // the last of them
	vigil   vigil

	flying  *flight // the request on its way
	waiting *flight // the one that those join who came too late for flying
	written map[string]tally
}

// known is a State with where and when it was learnt. It is never changed.
type known struct {
	state    *backend.State
	version  uint64        // in Redis
	head     string        // the field e of the hash: epoch and version
	standing bool          // a fence stands, which may lapse
	vague    bool          // the server does not tell its run: it may be another at any time
	dials    uint64        // Backend.dials before the script was sent that checked the run
	gaps     uint64        // feed.gaps before the last confirmation was asked for
	at       time.Duration // when it was asked for
	clean    bool          // no change was announced since
}

// A mark is an announcement that the database is at a version.
type mark struct {
	epoch   backend.Token
	version uint64
}

// A moment is what held before a request was sent. What happens later may or
// may not have preceded what the request saw.
type moment struct {
	of                   *database // not gone then
	last                 *known
	changes, marks, gaps uint64
	dials                uint64
	at                   time.Duration
	overdue              string // the fences that a script may take to have lapsed
}

// database returns the entry of name.
func (b *Backend) database(name string) *database {
	if db, ok := b.databases.Load(name); ok {
		return db.(*database)
	}
	fresh := &database{name: name, hash: b.layout.hash(name), announced: announced(name)}
	if isDigest(fresh.announced) {
		b.digests.Store(fresh.announced, name) // before anybody can rely on hearing of it
	}
	db, _ := b.databases.LoadOrStore(name, fresh)
	return db.(*database)
}

// called returns the name of the database that a message is about. One that is
// announced by a digest is known if the process has used it. It reports false
// if what the message says stands for no database.
func (b *Backend) called(announced string) (name string, ok bool) {
	if !isDigest(announced) {
		return unescape(announced)
	}
	long, _ := b.digests.Load(announced)
	name, _ = long.(string)
	return name, true
}

// moment returns the present.
func (b *Backend) moment(db *database) moment {
	m := moment{dials: b.dials.Load(), gaps: b.feed.gaps.Load(), at: b.now()}
	for db.mu.Lock(); db.gone; db.mu.Lock() {
		db.mu.Unlock()
		db = b.database(db.name)
	}
	defer db.mu.Unlock()
	m.of, m.last, m.changes, m.marks, m.overdue = db, db.last.Load(), db.changes, db.marks, db.vigil.overdue(m.at)
	return m
}

// learn takes note of a script's reply to what was asked at m, and returns the
// newest State. It returns nil where there is no telling which is newer, the
// reply or what was learnt since m: then the server has to be asked again.
func (b *Backend) learn(m *moment, r *reply) (*backend.State, error) {
	db := m.of
	var state *backend.State
	vague := false
	if r.fields != nil {
		var err error
		if state, vague, err = r.state(); err != nil {
			return nil, err
		}
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.gone {
		return nil, nil
	}
	db.vigil.see(r.fences, b.now())
	next := known{version: r.version, head: string(r.epoch) + " " + strconv.FormatUint(r.version, 10), dials: m.dials, gaps: m.gaps, at: m.at, clean: db.covers(m, r.epoch, r.version)}
	last := db.last.Load()
	if last != nil && last.state.Epoch == r.epoch {
		switch {
		case last.version > r.version:
			return last.state, nil
		case last.version == r.version:
			next.state, next.standing, next.vague = last.state, last.standing, last.vague
			if m.at < last.at { // an earlier request, answered later
				return last.state, nil
			}
			db.last.Store(&next)
			return last.state, nil
		}
	} else if db.changes != m.changes {
		// Epochs have no order, but for one that was known before the request
		// was sent: that is the older.
		return nil, nil
	}
	if state == nil {
		return nil, nil // the caller knew more when it asked
	}
	state.Version = b.versions.Add(1)
	next.state, next.standing, next.vague = state, r.fences != "", vague
	db.changes++
	db.last.Store(&next)
	b.garbage.add(b, db.died(state))
	return state, nil
}

// confirm takes note that at m, or later, the database was still at m.last. It
// returns the newest State, nil if there is no telling.
func (b *Backend) confirm(m *moment) *backend.State {
	db := m.of
	last := db.last.Load()
	if last == m.last && !b.options.Channel {
		return last.state
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	last = db.last.Load()
	if last == nil || last.state.Epoch != m.last.state.Epoch {
		return nil
	}
	if last.version == m.last.version && last.at <= m.at {
		next := *last
		next.gaps, next.at = m.gaps, m.at
		next.clean = db.covers(m, last.state.Epoch, last.version)
		db.last.Store(&next)
	}
	return last.state
}

// covers reports whether a request of the moment m that saw this version has
// seen all that was announced. db.mu is held.
func (db *database) covers(m *moment, epoch backend.Token, version uint64) bool {
	return db.marks == m.marks ||
		db.marks == m.marks+1 && db.mark.epoch == epoch && db.mark.version <= version
}

// stain notes that the database called name has changed to what m says, if that
// is news and anything is known of it.
func (b *Backend) stain(name string, m mark) {
	for {
		db, ok := b.databases.Load(name)
		if !ok || db.(*database).stain(m) {
			return
		}
	}
}

// stain is Backend's. It reports false, and does nothing, if the database is gone.
func (db *database) stain(m mark) bool {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.gone {
		return false
	}
	last := db.last.Load()
	if last != nil && last.state.Epoch == m.epoch && last.version >= m.version {
		return true
	}
	db.marks++
	db.mark = m
	if last != nil && last.clean {
		next := *last
		next.clean = false
		db.last.Store(&next)
	}
	return true
}

// forget makes the database called name unknown, and lets all of it go. Its values
// are not garbage: whoever drops it removes them.
func (b *Backend) forget(name string) {
	for {
		found, ok := b.databases.Load(name)
		if !ok || found.(*database).leave(&b.databases) {
			return
		}
	}
}

// leave takes the database out of all. It reports false if it has left before, so
// that another may be there.
func (db *database) leave(all *sync.Map) bool {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.gone {
		return false
	}
	db.gone = true
	db.last.Store(nil)
	db.vigil = nil
	db.written = nil
	all.CompareAndDelete(db.name, db)
	return true
}
