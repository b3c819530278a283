package history

import (
	"fmt"
	"maps"
	"slices"
)

// A Rule is what a Violation violates. See the package comment.
type Rule string

// The rules.
const (
	Island      Rule = "P7: a value crossed to another database, cache, key or user"
	Uncommitted Rule = "P1: another transaction's uncommitted write was seen"
	RolledBack  Rule = "P2: a write that was undone was seen"
	Stale       Rule = "P3: a value was seen that was overwritten before the transaction began"
	Exact       Rule = "P12: a hit was not what the transaction's own snapshot shows"
	Own         Rule = "P1: a transaction did not see its own sets and clears"
	Dropped     Rule = "P7: a value outlived its database"
	Ended       Rule = "a transaction that has ended had a hit"
	Missing     Rule = "P11: a value was lost that nobody had cleared or deleted"
	Mismatch    Rule = "a hit was believed to be stale although nobody forgot to clear"
	Failed      Rule = "something failed that was not made to fail"
)

// Rules returns the rules that a hit can violate.
func Rules() []Rule {
	return []Rule{Uncommitted, RolledBack, Stale, Exact, Own, Island, Dropped, Ended}
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
	sets    map[address]own // since the last cut of each
	cleared map[int]bool    // caches
	deleted map[slot]bool
	tags    map[string]bool // cleared
	owed    map[slot]debt   // to be paid before the commit
	loose   map[slot]loose
	unsure  map[address]bool // what several goroutines have set at once: any of it may be there
}

// A slot is what a cache keeps under a key, for all users.
type slot struct {
	cache int
	key   string
}

func (s address) slot() slot { return slot{s.cache, s.key} }

// An own is a value that a transaction has set.
type own struct {
	Value
	absent bool
}

// bears reports whether it bears the tag, in a cache that is tagged.
func (o own) bears(tag string) bool { return !o.absent && slices.Contains(o.Tags(), tag) }

// A debt is what a cache may show of a row that was changed: the writes of these tags, and
// that there is no row.
type debt struct {
	absent bool
	tags   []string // not changed
}

// A loose slot is one of which a tag was cleared in place of the key. Values that bear
// another one stay: those of a write that the transaction need not know of, but which
// others overwrote before it did.
type loose uint8

const (
	tight         loose = iota
	looseAbsences       // only of absences
	looseValues
)

func newBelief() belief {
	return belief{map[address]own{}, map[int]bool{}, map[slot]bool{}, map[string]bool{}, map[slot]debt{}, map[slot]loose{}, map[address]bool{}}
}

func (b belief) clone() belief {
	return belief{maps.Clone(b.sets), maps.Clone(b.cleared), maps.Clone(b.deleted), maps.Clone(b.tags), maps.Clone(b.owed), maps.Clone(b.loose), maps.Clone(b.unsure)}
}

// doubt notes that anything may be in an address.
func (b belief) doubt(at address) {
	delete(b.sets, at)
	b.unsure[at] = true
}

func (b belief) clear(cache int) {
	b.cleared[cache] = true
	b.forget(func(s slot) bool { return s.cache == cache })
}

func (b belief) delete(at slot) {
	b.deleted[at] = true
	b.forget(func(s slot) bool { return s == at })
}

// forget forgets what was set, and what is owed, in some slots.
func (b belief) forget(of func(slot) bool) {
	maps.DeleteFunc(b.owed, func(s slot, _ debt) bool { return of(s) })
	maps.DeleteFunc(b.loose, func(s slot, _ loose) bool { return of(s) })
	maps.DeleteFunc(b.sets, func(s address, _ own) bool { return of(s.slot()) })
	maps.DeleteFunc(b.unsure, func(s address, _ bool) bool { return of(s.slot()) })
}

// clearTag notes that a tag was cleared, in the caches that are tagged.
func (b belief) clearTag(tag string, tagged func(cache int) bool) {
	b.tags[tag] = true
	maps.DeleteFunc(b.sets, func(s address, o own) bool { return tagged(s.cache) && o.bears(tag) })
	for s, d := range b.owed {
		if !tagged(s.cache) {
			continue
		}
		if rest := slices.DeleteFunc(slices.Clone(d.tags), func(t string) bool { return t == tag || rowTag(s.key) == tag }); len(rest) < len(d.tags) {
			how := looseAbsences
			if rowTag(s.key) != tag {
				how = looseValues
			}
			b.loose[s] = max(b.loose[s], how)
			b.owed[s] = debt{d.absent, rest}
			if len(rest) == 0 && !d.absent {
				delete(b.owed, s)
			}
		}
	}
}

// owe notes that a cache may show what a row was before it was written.
func (b belief) owe(at slot, before Value) {
	d := b.owed[at]
	d.absent = d.absent || !before.there()
	d.tags = append(slices.Clip(d.tags), writeTag(before.Write))
	b.owed[at] = d
}

// hides reports whether the transaction has cut itself off from what others have set
// in a slot.
func (b belief) hides(at slot, v own, tagged bool) bool {
	return b.cleared[at.cache] || b.deleted[at] || tagged && !v.absent && slices.ContainsFunc(v.Tags(), func(tag string) bool { return b.tags[tag] })
}

// binds reports whether a hit must show what the transaction itself has written last.
func (b belief) binds(at slot, v own) bool {
	_, owed := b.owed[at]
	return !owed && b.loose[at] < looseValues && !(v.absent && b.loose[at] == looseAbsences)
}

// judge returns the rule that a hit of v at s violates, "" if none. The order
// matters to the report only. What another goroutine of the transaction has
// changed since the look-up began is not held against it.
func (t *transaction) judge(s address, v own, since glance) (Rule, string) {
	t.transactionState.mu.Lock()
	defer t.transactionState.mu.Unlock()
	calm := t.calm(since, 0, 0)
	cache := t.world.Caches[s.cache]
	if v.Database != t.database || v.Cache != cache.Name || v.Key != s.key || v.Who != s.who {
		return Island, fmt.Sprintf("it is of database %q, cache %q, key %q, user %q", v.Database, v.Cache, v.Key, v.Who)
	}
	w := t.truth.lookup(v.Value, cache.Table)
	r := row{v.Database, v.Life, cache.Table, v.Key}
	switch {
	case w.row != r || w.gone != v.Gone:
		return Island, fmt.Sprintf("that write was of %v, and removed it: %v", w.row, w.gone)
	case since.ended:
		return Ended, "it has ended"
	case since.detached && t.session.clears == nil: // or its snapshot shows the life that it began in
		return Dropped, "the database was dropped here since it began"
	case v.Life < t.life && t.truth.dropped(v.Database, v.Life+1, t.life, t.knows):
		return Dropped, fmt.Sprintf("life %d of the database began before it did", t.life)
	case w.state == undone && (calm || w.by != t.id):
		return RolledBack, fmt.Sprintf("t%d had that undone", w.by)
	case w.state == pending && w.by != t.id:
		return Uncommitted, fmt.Sprintf("t%d has not committed that", w.by)
	}
	if !t.readOnly && calm {
		if own, ok := t.belief.sets[s]; ok && own.Value != v.Value {
			return Own, fmt.Sprintf("it set %v itself", own)
		} else if !ok && t.belief.hides(s.slot(), v, cache.Tagged) && !t.belief.unsure[s] {
			return Own, "it cleared that and set nothing there since"
		}
		if own, ok := t.session.latest(r); ok && own != v.Write && t.belief.binds(s.slot(), v) {
			return Own, fmt.Sprintf("it wrote w%d itself and cleared what was there", own)
		}
	}
	if why := t.differs(r, v, w); why != "" {
		return Exact, why
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
