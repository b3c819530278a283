package redisbackend

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seed-dad15c92/txcache/backend"
)

const (
	// quickFeed is how long an announcement may take, at most, for a process to
	// register: one that hears late makes others wait for its acknowledgements.
	quickFeed = 50 * time.Millisecond

	// enoughBegins is how many begins a term has to serve to be worth the
	// registration, which others may have to wait for.
	enoughBegins = 2
)

// With Options.Lease a process is a member of the databases that it uses often: it
// is registered in the hash of the database, and may return the state that it got with
// the registration, without asking, for a term. A process that changes the database waits until
// all members that were registered before have acknowledged, or their terms are over
// (settle.go). So nothing rests on the arrival of a message, nor on a clock but that
// of the process which measures a time.

// A membership is what a process knows of its registrations in one database. It is
// guarded by dbInfo.mu. Numbers of requests come from Backend.requests, and only grow.
type membership struct {
	sent   uint64        // number of the last request that may have registered the process
	acked  uint64        // the process holds no answer to requests up to this number, nor will it
	unsure bool          // the acknowledgement of acked may not have arrived
	begun  time.Duration // when Sync was last called, as far as that is noted
	resume time.Duration // the process does not register before
}

// A term is a state that Sync may return without asking.
type term struct {
	state   *backend.State
	version uint64        // of the state, in Redis
	until   time.Duration // by Backend.now
	wall    time.Duration // the same by the wall clock
	served  atomic.Uint32 // begins, as far as they are counted
}

// current returns the term of db if it has not ended by either clock. The caller's own call
// must have begun before.
func (db *dbInfo) current(b *Backend) *term {
	if t := db.term.Load(); t != nil && t.runs(b.clocks()) {
		return t
	}
	return nil
}

func (t *term) runs(now, wall time.Duration) bool { return now < t.until && wall < t.wall }

// terms returns in how many databases the process has a term now.
func (b *Backend) terms() (n int) {
	now, wall := b.clocks()
	b.databases.Range(func(_, v any) bool {
		if t := v.(*dbInfo).term.Load(); t != nil && t.runs(now, wall) {
			n++
		}
		return true
	})
	return n
}

// register makes the request of start one that registers the process, if that is worth it. It
// ends the term of before: a state is never used while its successor is asked for.
func (b *Backend) register(start *requestStart) bool {
	db := start.db
	db.mu.Lock()
	defer db.mu.Unlock()
	m := &db.membership
	if t := db.term.Load(); t != nil && start.at >= t.until {
		db.ended(start.at, min(start.at, t.until), t)
	}
	db.term.Store(nil)
	often := start.at-m.begun < b.options.Term
	m.begun = start.at
	if db.gone || !often || start.at < m.resume || start.last == nil || start.last.fenced || !b.subscriber.quick(start.at) {
		return false
	}
	m.sent = b.requests.Add(1)
	start.request = m.sent
	return true
}

// ended takes note that t has ended, and when it was last of use at the latest. db.mu is held.
func (db *dbInfo) ended(now, used time.Duration, t *term) {
	m := &db.membership
	if t.served.Load() > 0 {
		m.begun = max(m.begun, used)
	}
	if now < t.until && t.served.Load() < enoughBegins {
		m.resume = t.until // changes are more frequent than begins
	}
}

// hold begins a term with the newest state, if the answer r to the request of start has
// registered the process and shows that state. Otherwise, if anything was learnt, it makes
// sure that nobody waits for this process, and that this process, for which its own changes
// do not wait, uses nothing of before them. db.mu is held.
func (b *Backend) hold(start *requestStart, r *reply, learnt bool) {
	db := start.db
	m, last := &db.membership, db.last.Load()
	newest := last != nil && last.state.Epoch == r.epoch && last.version == r.version
	switch {
	case r.registered && newest && start.request == m.sent && start.request > m.acked:
		db.term.Store(&term{state: last.state, version: last.version, until: start.at + b.options.Term, wall: start.wall + b.options.Term})
	case start.request > 0:
		// It may have arrived after its acknowledgement.
		m.unsure = m.unsure || r.registered
		db.drop(b)
	case learnt || !newest:
		db.drop(b)
	}
}

// drop ends the term, if there is one. Then, and not before, it acknowledges all requests
// that were sent, without waiting for anything. db.mu is held.
func (db *dbInfo) drop(b *Backend) {
	m := &db.membership
	if t := db.term.Load(); t != nil {
		now := b.now()
		db.ended(now, now, t)
	}
	db.term.Store(nil)
	if m.acked == m.sent && !m.unsure {
		return
	}
	m.acked, m.unsure = m.sent, false
	acked := m.acked
	b.spawn(func() { _ = b.acknowledge(b.ctx, db, acked) })
}

// acknowledge tells the server that the process uses no answer to requests up to number.
func (b *Backend) acknowledge(ctx context.Context, db *dbInfo, number uint64) error {
	cmd := ackScript.cached(db.hash, b.self, number)
	err := b.do(ctx, db.hash, cmd)
	if err == nil && redis.HasErrorPrefix(cmd.Err(), "NOSCRIPT") {
		cmd = ackScript.command(db.hash, b.self, number)
		err = b.do(ctx, db.hash, cmd)
	}
	if err == nil {
		err = cmd.Err()
	}
	if err != nil {
		db.mu.Lock()
		db.membership.unsure = true // the next announcement is a reason to repeat it
		db.mu.Unlock()
	}
	return err
}

// missed ends all terms, as announcements may have been missed: others that change a
// database would wait for a process that does not hear.
func (b *Backend) missed() {
	if !b.options.Lease {
		return
	}
	b.databases.Range(func(_, v any) bool {
		db := v.(*dbInfo)
		db.mu.Lock()
		defer db.mu.Unlock()
		db.drop(b)
		return true
	})
}

// leave ends all terms and acknowledges, before the process goes.
func (b *Backend) leave() {
	b.databases.Range(func(_, v any) bool {
		db := v.(*dbInfo)
		db.mu.Lock()
		db.term.Store(nil)
		m := &db.membership
		open := m.acked < m.sent || m.unsure
		m.acked, m.unsure = m.sent, false
		acked := m.acked
		db.mu.Unlock()
		return !open || b.acknowledge(b.ctx, db, acked) == nil
	})
}
