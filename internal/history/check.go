package history

import (
	"fmt"
	"maps"
)

// A Rule is what a Violation violates. See the package comment.
type Rule string

// The rules.
const (
	Island      Rule = "P7: a value crossed to another database, cache, key or user"
	Uncommitted Rule = "P1: another transaction's uncommitted write was seen"
	RolledBack  Rule = "P2: a write that was undone was seen"
	Stale       Rule = "P3: a value was seen that was overwritten before the transaction began"
	Own         Rule = "P1: a transaction did not see its own sets and clears"
	Dropped     Rule = "P7: a value outlived its database"
	Ended       Rule = "a transaction that has ended had a hit"
	Mismatch    Rule = "a hit was believed to be stale although nobody forgot to clear"
	Failed      Rule = "something failed that was not made to fail"
)

// Rules returns the rules that a hit can violate.
func Rules() []Rule {
	return []Rule{Uncommitted, RolledBack, Stale, Own, Island, Dropped, Ended}
}

// A Violation is a hit, or an answer, that the promises exclude.
type Violation struct {
	Rule Rule
	Tx   int    // transaction that saw it
	What string // what it saw
}

func (v *Violation) Error() string {
	return fmt.Sprintf("history: t%d: %s (%s)", v.Tx, v.What, v.Rule)
}

// An address is where a value is kept.
type address struct {
	cache int
	key   string
	who   string
}

// A belief is what a transaction must see of its own.
type belief struct {
	sets    map[address]Value // since the last clear of their cache
	cleared map[int]bool
	owed    map[int]bool     // caches to be cleared before the commit
	unsure  map[address]bool // what several goroutines have set at once: any of it may be there
}

func newBelief() belief {
	return belief{sets: map[address]Value{}, cleared: map[int]bool{}, owed: map[int]bool{}, unsure: map[address]bool{}}
}

func (b belief) clone() belief {
	return belief{maps.Clone(b.sets), maps.Clone(b.cleared), maps.Clone(b.owed), maps.Clone(b.unsure)}
}

// doubt notes that anything may be in an address.
func (b belief) doubt(at address) {
	delete(b.sets, at)
	b.unsure[at] = true
}

func (b belief) clear(cache int) {
	b.cleared[cache] = true
	delete(b.owed, cache)
	maps.DeleteFunc(b.sets, func(s address, _ Value) bool { return s.cache == cache })
	maps.DeleteFunc(b.unsure, func(s address, _ bool) bool { return s.cache == cache })
}

// judge returns the rule that a hit of v at s violates, "" if none. The order
// matters to the report only. What another goroutine of the transaction has
// changed since the look-up began is not held against it.
func (t *transaction) judge(s address, v Value, since glance) (Rule, string) {
	t.transactionState.mu.Lock()
	defer t.transactionState.mu.Unlock()
	calm := t.calm(since, 0, 0)
	cache := t.world.Caches[s.cache]
	if v.Database != t.database || v.Cache != cache.Name || v.Key != s.key || v.Who != s.who {
		return Island, fmt.Sprintf("it is of database %q, cache %q, key %q, user %q", v.Database, v.Cache, v.Key, v.Who)
	}
	w := t.truth.lookup(v, cache.Table)
	r := row{v.Database, v.Life, cache.Table, v.Key}
	switch {
	case w.row != r:
		return Island, fmt.Sprintf("that write was of %v", w.row)
	case since.ended:
		return Ended, "it has ended"
	case since.detached:
		return Dropped, "the database was dropped here since it began"
	case v.Life < t.life && t.truth.dropped(v.Database, v.Life+1, t.life, t.knows):
		return Dropped, fmt.Sprintf("life %d of the database began before it did", t.life)
	case w.state == undone && (calm || w.by != t.id):
		return RolledBack, fmt.Sprintf("t%d had that undone", w.by)
	case w.state == pending && w.by != t.id:
		return Uncommitted, fmt.Sprintf("t%d has not committed that", w.by)
	}
	if !t.readOnly && calm {
		if own, ok := t.belief.sets[s]; ok && own != v {
			return Own, fmt.Sprintf("it set %v itself", own)
		} else if !ok && t.belief.cleared[s.cache] && !t.belief.unsure[s] {
			return Own, "it cleared the cache and set nothing there since"
		}
		if own, ok := t.session.latest(r); ok && own != v.Write && !t.belief.owed[s.cache] {
			return Own, fmt.Sprintf("it wrote w%d itself and cleared the cache", own)
		}
	}
	if v.Life == t.life {
		if commit, ok := t.truth.overwritten(r, w.until, t.lowerBound, t.knows); ok {
			return Stale, fmt.Sprintf("commit %d overwrote that, it began after commit %d", commit, t.lowerBound)
		}
	}
	return "", ""
}

// knows reports whether t must know of what happened before it began: it was
// done on the same server, or long enough ago.
func (t *transaction) knows(e *event) bool {
	return e.server == t.server || e.known(t.tick, t.since)
}
