package redisbackend

import (
	"crypto/sha1"
	"encoding/hex"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/seed-dad15c92/txcache/backend"
)

// A term is a state that Sync may return without asking. It is always the newest that the
// process knows (dbInfo.last), with the marks of fences of keys that were placed since.
//
// A fence of keys ends no term. The member marks the keys as fenced in the state that it
// uses, then acknowledges this fence. The keys stay marked until the process has a newer state:
// that the fence is gone does not end them, as the state of the term does not show the deletes. // P3
type term struct {
	state   *backend.State
	version uint64        // of dbInfo.last, in Redis
	marks   []mark        // of fences that were placed after that version
	until   time.Duration // by Backend.now
	wall    time.Duration // the same by the wall clock
	begins  atomic.Int32  // that it served, as far as they are counted; each fence has taken enoughBegins away
	before  int32         // begins, as the last fence came
	behind  bool          // keys may be fenced no more which the state shows as fenced
}

// A mark is a fence of keys that was placed after the state was read.
type mark struct {
	placed uint64 // the version that the fence was placed with
	keys   []backend.Keys
	digest string // of its items
}

// isOf reports whether m is what f says. There may be others with its version, as anybody can
// announce a fence: the server compares the digest. // P3
func (m *mark) isOf(f *placedFence) bool { return m.placed == f.version && m.digest == f.digest }

const (
	// mostMarks is how many marks a term has at most.
	mostMarks = 64

	// mostBehind and mostAhead are how far a term's begins may be below and above none. Changes
	// come in bursts, so it is measured by many of them.
	mostBehind, mostAhead = 4 * enoughBegins, 32 * enoughBegins
)

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

// extend returns a term in the place of t, which ends when t does, with the state of last,
// and of marks those that it does not show.
func (b *Backend) extend(t *term, last *cachedState, marks []mark) *term {
	next := &term{state: last.state, version: last.version, until: t.until, wall: t.wall, before: t.before, behind: t.behind}
	next.begins.Store(t.begins.Load())
	for _, m := range marks {
		if m.placed > last.version {
			next.marks = append(next.marks, m)
		}
	}
	if len(next.marks) == 0 {
		return next
	}
	marked := *last.state
	marked.Version = b.versions.Add(1)
	marked.FencedKeys = slices.Clip(marked.FencedKeys)
	for _, m := range next.marks {
		marked.FencedKeys = append(marked.FencedKeys, m.keys...)
	}
	next.state = &marked
	return next
}

// follow makes the term go on with the newest state, which the process has learnt by the
// answer r. If it cannot, it drops the term. db.mu is held.
func (db *dbInfo) follow(b *Backend, r *reply) {
	t, last := db.term.Load(), db.last.Load()
	switch {
	case t == nil || last == nil || r.epoch != t.state.Epoch || last.state.Epoch != r.epoch || cacheFenced(last.state):
		db.drop(b)
	case last.version > t.version:
		db.term.Store(b.extend(t, last, t.marks))
	}
}

// marked returns state, which answers the request of start, with the marks that were made since
// that was sent: Sync may have returned a state with them, which has a lower Version. It returns
// nil if the marks are gone with their term: then the server has to be asked again. db.mu is held. // P3
func (db *dbInfo) marked(start *requestStart, state *backend.State) *backend.State {
	if state == nil || start.markings == db.markings {
		return state
	}
	if t := db.term.Load(); t != nil {
		return t.state
	}
	return nil
}

// cacheFenced reports whether a fence stands on a cache. A state that shows that is not used
// without asking.
func cacheFenced(s *backend.State) bool { return s.AllFenced || len(s.Fenced) > 0 }

// A placedFence is what members are told of a fence that waits for them.
type placedFence struct {
	announcement                // the version is that of the change that placed it
	keys         []backend.Keys // nil: it is not of keys alone
	digest       string         // of its items
}

// fencedKeys returns what the items of a fence of keys name. It reports false for any other.
func fencedKeys(items string) (keys []backend.Keys, digest string, ok bool) {
	for _, part := range strings.Fields(items) {
		k, ok := fenced(part)
		if !ok || k.Hashes == nil {
			return nil, "", false
		}
		keys = append(keys, k)
	}
	sum := sha1.Sum([]byte(items))
	return keys, hex.EncodeToString(sum[:]), len(keys) > 0
}

// hear takes note of a fence of the database called name that waits for members.
func (b *Backend) hear(name string, f *placedFence) {
	for {
		db, ok := b.databases.Load(name)
		if !ok || db.(*dbInfo).hear(b, f) {
			return
		}
	}
}

// hear is Backend's. It reports false, and does nothing, if the database is gone. The keys are
// marked before the fence is acknowledged. Where that is of no use, all is dropped.
func (db *dbInfo) hear(b *Backend, f *placedFence) bool {
	db.mu.Lock()
	defer db.mu.Unlock()
	if db.gone {
		return false
	}
	t := db.current(b)
	if t == nil || f.keys == nil || t.state.Epoch != f.epoch || !db.mark(b, t, f) {
		db.drop(b)
		return true
	}
	b.spawn(func() { _ = b.send(b.ctx, db, &markScript, b.self, string(f.epoch), f.version, f.digest) })
	return true
}

// mark marks the keys of f in the state of t, unless that shows them. It reports false if
// the term is not worth it. db.mu is held.
func (db *dbInfo) mark(b *Backend, t *term, f *placedFence) bool {
	if f.version <= t.version || slices.ContainsFunc(t.marks, func(m mark) bool { return m.isOf(f) }) {
		return true
	}
	begins := t.begins.Load() - enoughBegins
	if begins < -mostBehind || len(t.marks) == mostMarks {
		return false
	}
	next := b.extend(t, db.last.Load(), append(slices.Clip(t.marks), mark{f.version, f.keys, f.digest}))
	next.begins.Store(begins)
	next.before = begins
	db.used(b.now(), t)
	db.markings++
	db.term.Store(next)
	return true
}

// outdated takes note that the database is at a version, and makes the process ask for a newer state
// if keys may be fenced no more which the state of t shows as fenced. db.mu is held.
func (db *dbInfo) outdated(b *Backend, t *term, version uint64) {
	known := t.version
	for _, m := range t.marks {
		known = max(known, m.placed)
	}
	if version > known && len(t.state.FencedKeys) > 0 {
		t.behind = true
		db.refresh(b)
	}
}

// refresh asks for a newer state in the background, if the one of the term is behind. The term
// goes on meanwhile. One request is under way at a time. db.mu is held.
func (db *dbInfo) refresh(b *Backend) {
	t := db.current(b)
	if t == nil || !t.behind || db.asking != nil {
		return
	}
	c := &syncCall{done: make(chan struct{}), refreshes: true}
	if b.spawn(func() { b.beginSync(db, c, false) }) {
		db.asking, t.behind = c, false
	}
}
