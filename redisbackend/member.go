package redisbackend

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	// quickFeed is how long an announcement may take, at most, for a process to
	// register: one that hears late makes others wait for its acknowledgements.
	quickFeed = 50 * time.Millisecond

	// enoughBegins is how many begins a term has to serve to be worth the
	// registration, or one more change, which may have to wait for it.
	enoughBegins = 2
)

// With Options.Lease a process is a member of the databases that it uses often: it
// is registered in the hash of the database, and may return the state that it got with
// the registration, without asking, for a term. A process that changes the database waits until
// all members that were registered before have acknowledged, or their terms are over
// (settle.go). A fence of keys is acknowledged while the term goes on (term.go). So nothing rests on the arrival of a message, nor on a clock but that
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
	if db.gone || !often || start.at < m.resume || start.last == nil || cacheFenced(start.last.state) || !b.subscriber.quick(start.at) {
		return false
	}
	m.sent = b.requests.Add(1)
	start.request = m.sent
	return true
}

// registerLater takes note that the server refuses to register the process, which is a write.
func (db *dbInfo) registerLater(b *Backend) {
	db.mu.Lock()
	defer db.mu.Unlock()
	db.membership.resume = b.now() + b.options.Wait
}

// ended takes note that t has ended, and when it was last of use at the latest. db.mu is held.
func (db *dbInfo) ended(now, used time.Duration, t *term) {
	m := &db.membership
	db.used(used, t)
	if now < t.until && t.begins.Load() < enoughBegins {
		m.resume = t.until // changes are more frequent than begins
	}
}

// used takes note of when t was last of use at the latest. db.mu is held.
func (db *dbInfo) used(at time.Duration, t *term) {
	if t.begins.Load() > t.before {
		db.membership.begun = max(db.membership.begun, at)
	}
}

// hold begins a term with the newest state, if the answer r to the request of start has
// registered the process and shows that state. Otherwise the term, if there is one, goes on
// with the newest state: so this process, for which its own changes do not wait, uses nothing of
// before them. db.mu is held.
func (b *Backend) hold(start *requestStart, r *reply) {
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
	default:
		db.follow(b, r)
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
	err := b.send(ctx, db, &ackScript, b.self, number)
	if err != nil {
		db.mu.Lock()
		db.membership.unsure = true // the next fence is a reason to repeat it
		db.mu.Unlock()
	}
	return err
}

// send runs s on the hash of db.
func (b *Backend) send(ctx context.Context, db *dbInfo, s *script, args ...any) error {
	cmd := s.cached(db.hash, args...)
	err := b.do(ctx, db.hash, cmd)
	if err == nil && redis.HasErrorPrefix(cmd.Err(), "NOSCRIPT") {
		cmd = s.command(db.hash, args...)
		err = b.do(ctx, db.hash, cmd)
	}
	if err == nil {
		err = cmd.Err()
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
