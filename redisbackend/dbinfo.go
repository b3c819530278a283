package redisbackend

import (
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seed-dad15c92/txcache/backend"
)

// A dbInfo is what the process has learnt of one database. When the database is
// dropped, another dbInfo takes its place as soon as one is needed. Requests that
// are under way finish with the old one, and no longer change it.
type dbInfo struct {
	name      string
	hash      string                      // the key of its hash
	announced string                      // what stands for it in messages
	last      atomic.Pointer[cachedState] // nil: nothing; stored under mu
	term      atomic.Pointer[term]        // nil: none; stored under mu

	mu            sync.Mutex
	gone          bool         // it was dropped
	changes       uint64       // how often another State, or none, took the place of last
	announcements uint64       // how often a change was announced or begun
	markings      uint64       // how often keys were marked in the state of a term
	lastAnnounced announcement // the last of them
	fenceTimers   fenceTimers
	membership    membership
	notes         notes

	asking  *syncCall // the request on its way
	next    *syncCall // the one that those join who came too late for asking
	written map[string]tally
}

// A cachedState is a State, with when and from where the process learnt it. It is
// never changed.
type cachedState struct {
	state        *backend.State
	version      uint64        // in Redis
	versionField string        // the field e of the hash: epoch and version
	seq          uint64        // the last entry of the log that the state shows
	read         []any         // the plain read that tells what is newer; see syncArgs
	fenced       bool          // a fence stands, which may expire
	runUnknown   bool          // the server does not tell its run: it may be another at any time
	dials        uint64        // Backend.dials before the script was sent that checked the run
	gaps         uint64        // subscriber.gaps before the last confirmation was asked for
	askedAt      time.Duration // when it was asked for
	unchanged    bool          // no change was announced since
}

// An announcement says that the database is at a version.
type announcement struct {
	epoch   backend.Token
	version uint64
}

// A requestStart is what held before a request was sent. The server may have
// answered before or after what happens later.
type requestStart struct {
	db                           *dbInfo // not gone then
	last                         *cachedState
	changes, announcements, gaps uint64
	dials, markings              uint64
	at, wall                     time.Duration // by Backend.clocks
	expired                      string        // the fences that a script may take to have expired
	over                         string        // the epoch and the serial number up to which registrations are over
	request                      uint64        // its number, if it may register the process, else 0
}

// info returns what the process has learnt of the database called name.
func (b *Backend) info(name string) *dbInfo {
	if db, ok := b.databases.Load(name); ok {
		return db.(*dbInfo)
	}
	fresh := &dbInfo{name: name, hash: b.layout.hash(name), announced: announced(name)}
	b.naming.Lock()
	defer b.naming.Unlock()
	if isDigest(fresh.announced) {
		b.longNames.Store(fresh.announced, name) // before anybody can rely on hearing of it
	}
	db, _ := b.databases.LoadOrStore(name, fresh)
	return db.(*dbInfo)
}

// nameOf returns the name of the database that a message is about. One that is
// announced by a digest has a name here if the process has used it. It reports false
// if what the message says stands for no database.
func (b *Backend) nameOf(announced string) (name string, ok bool) {
	if !isDigest(announced) {
		return unescape(announced)
	}
	long, _ := b.longNames.Load(announced)
	name, _ = long.(string)
	return name, true
}

// requestStart returns what holds now, and the dbInfo that takes db's place if that
// is gone.
func (b *Backend) requestStart(db *dbInfo) requestStart {
	start := requestStart{dials: b.dials.Load(), gaps: b.subscriber.gaps.Load()}
	start.at, start.wall = b.clocks()
	for db.mu.Lock(); db.gone; db.mu.Lock() {
		db.mu.Unlock()
		db = b.info(db.name)
	}
	defer db.mu.Unlock()
	start.db, start.last, start.expired = db, db.last.Load(), db.fenceTimers.expired(start.at)
	start.changes, start.announcements, start.markings = db.changes, db.announcements, db.markings
	start.over = "- 0"
	if serial := db.notes.over(start.at, b.options.Wait); serial > 0 {
		start.over = string(db.notes.epoch) + " " + strconv.FormatUint(serial, 10)
	}
	return start
}

// learn takes note of a script's reply to the request of start, and returns the
// newest State. It returns nil where there is no telling which is newer, the
// reply or what was learnt since start: then the server has to be asked again.
func (b *Backend) learn(start *requestStart, r *reply) (*backend.State, error) {
	db := start.db
	var state *backend.State
	var seq uint64
	var err error
	runUnknown := false
	switch {
	case r.fields != nil:
		var log *logReader
		if state, log, runUnknown, err = r.state(); err == nil {
			seq = log.mark.head
		}
	case r.since != nil && (start.last == nil || start.last.state.Epoch != r.epoch):
		err = errReply
	case r.since != nil:
		state, seq, err = r.stateSince(start.last.state, start.last.seq)
		runUnknown = start.last.runUnknown // as one run writes one epoch
	}
	if err != nil {
		return nil, err
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.gone {
		if start.request > 0 {
			b.spawn(func() { _ = b.acknowledge(b.ctx, db, start.request) })
		}
		return nil, nil
	}
	now := b.now()
	db.fenceTimers.observe(r.fences, now)
	if r.serial > 0 {
		db.notes.add(r.epoch, r.serial, now, b.options.Wait)
	}
	state = b.newest(start, r, state, seq, runUnknown)
	if b.options.Lease {
		b.hold(start, r)
		state = db.marked(start, state)
	}
	return state, nil
}

// newest is the second part of learn: what r says has been understood. state is nil if
// the caller knew it when it asked. db.mu is held.
func (b *Backend) newest(start *requestStart, r *reply, state *backend.State, seq uint64, runUnknown bool) *backend.State {
	db := start.db
	next := cachedState{version: r.version, versionField: string(r.epoch) + " " + strconv.FormatUint(r.version, 10), dials: start.dials, gaps: start.gaps, askedAt: start.at, unchanged: db.sawAll(start, r.epoch, r.version)}
	last := db.last.Load()
	if last != nil && last.state.Epoch == r.epoch {
		switch {
		case last.version > r.version:
			return last.state
		case last.version == r.version:
			next.state, next.fenced, next.runUnknown = last.state, last.fenced, last.runUnknown
			next.seq, next.read = last.seq, last.read
			if start.at < last.askedAt { // an earlier request, answered later
				return last.state
			}
			db.last.Store(&next)
			return last.state
		}
	} else if db.changes != start.changes {
		// Epochs have no order, but one that the process had learnt before the
		// request was sent is the older.
		return nil
	}
	if state == nil {
		return nil // the caller knew more when it asked
	}
	state.Version = b.versions.Add(1)
	next.state, next.fenced, next.runUnknown = state, r.fences != "", runUnknown
	next.seq, next.read = seq, syncArgs(db.hash, seq)
	db.changes++
	db.last.Store(&next)
	b.garbage.add(b, db.takeDead(state))
	return state
}

// confirm takes note that at start, or later, the database was still at start.last.
// It returns the newest State, nil if there is no telling.
func (b *Backend) confirm(start *requestStart) *backend.State {
	db := start.db
	last := db.last.Load()
	if last == start.last && !b.options.Channel {
		return last.state
	}
	db.mu.Lock()
	defer db.mu.Unlock()
	last = db.last.Load()
	if last == nil || last.state.Epoch != start.last.state.Epoch {
		return nil
	}
	if last.version == start.last.version && last.askedAt <= start.at {
		next := *last
		next.gaps, next.askedAt = start.gaps, start.at
		next.unchanged = db.sawAll(start, last.state.Epoch, last.version)
		db.last.Store(&next)
	}
	return last.state
}

// sawAll reports whether the request of start, whose reply had this version, saw
// every change that was announced. db.mu is held.
func (db *dbInfo) sawAll(start *requestStart, epoch backend.Token, version uint64) bool {
	return db.announcements == start.announcements ||
		db.announcements == start.announcements+1 && db.lastAnnounced.epoch == epoch && db.lastAnnounced.version <= version
}

// invalidate takes note that the database called name has changed to what a says,
// if the process has an older state of it. Sync asks the server then.
func (b *Backend) invalidate(name string, a announcement) {
	for {
		db, ok := b.databases.Load(name)
		if !ok || db.(*dbInfo).invalidate(b, a) {
			return
		}
	}
}

// invalidate is Backend's. It reports false, and does nothing, if the database is gone.
func (db *dbInfo) invalidate(b *Backend, a announcement) bool {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.gone {
		return false
	}
	if t := db.term.Load(); t != nil && t.state.Epoch != a.epoch {
		db.drop(b)
	} else if t != nil {
		db.outdated(b, t, a.version)
	}
	last := db.last.Load()
	if last != nil && last.state.Epoch == a.epoch && last.version >= a.version {
		return true
	}
	db.announcements++
	db.lastAnnounced = a
	if last != nil && last.unchanged {
		next := *last
		next.unchanged = false
		db.last.Store(&next)
	}
	return true
}

// forget removes what the process has learnt of the database called name. The
// values are not garbage: the call that drops the database removes them.
func (b *Backend) forget(name string) {
	for {
		found, ok := b.databases.Load(name)
		if !ok || found.(*dbInfo).detach(b) {
			return
		}
	}
}

// detach removes db from the databases of b. It reports false if it was removed before, so
// that another may be there.
func (db *dbInfo) detach(b *Backend) bool {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.gone {
		return false
	}
	db.remove(b)
	return true
}

// remove removes db from the databases of b. db.mu is held.
func (db *dbInfo) remove(b *Backend) {
	db.gone = true
	db.last.Store(nil)
	db.term.Store(nil)
	db.fenceTimers = nil
	db.written = nil
	b.naming.Lock()
	defer b.naming.Unlock()
	b.longNames.Delete(db.announced)
	b.databases.Delete(db.name)
}
