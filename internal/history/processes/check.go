package processes

import (
	"fmt"
	"maps"

	"github.com/seed-dad15c92/txcache/internal/history"
)

// An address is where a value is kept.
type address struct{ cache, key, person int }

func (s address) String() string {
	return fmt.Sprintf("%q[%q] as %q", world.Caches[s.cache].Name, world.Keys[s.key], who(s.cache, s.person))
}

// in returns the address that s is the same as: those who make no difference are
// one.
func (s address) in() address {
	if world.Caches[s.cache].ContextFree {
		s.person = 0
	}
	return s
}

// A slot is a key of a cache, for all users.
type slot struct{ cache, key int }

func (s address) slot() slot { return slot{s.cache, s.key} }

// A belief is what a transaction must see of its own.
type belief struct {
	sets    map[address]history.Value // since the last clear of their cache, or delete of their key
	cleared map[int]bool
	deleted map[slot]bool
	owed    map[slot]bool // to be taken away before the commit
}

func newBelief() belief {
	return belief{sets: map[address]history.Value{}, cleared: map[int]bool{}, deleted: map[slot]bool{}, owed: map[slot]bool{}}
}

func (b belief) clone() belief {
	return belief{maps.Clone(b.sets), maps.Clone(b.cleared), maps.Clone(b.deleted), maps.Clone(b.owed)}
}

func (b belief) clear(cache int) {
	b.cleared[cache] = true
	maps.DeleteFunc(b.owed, func(s slot, _ bool) bool { return s.cache == cache })
	maps.DeleteFunc(b.sets, func(s address, _ history.Value) bool { return s.cache == cache })
}

func (b belief) delete(at slot) {
	b.deleted[at] = true
	delete(b.owed, at)
	maps.DeleteFunc(b.sets, func(s address, _ history.Value) bool { return s.slot() == at })
}

// value returns what a cache is to show of a row.
func (t *transaction) value(s address, v version) history.Value {
	return history.Value{
		Database: world.Databases[t.database], Life: v.life(), Cache: world.Caches[s.cache].Name, Key: world.Keys[s.key],
		Who: who(s.cache, s.person), Write: v.write(),
	}
}

func (t *transaction) row(s address) row {
	return rowOf(t.database, world.Caches[s.cache].Table, s.key)
}

// judge returns the rule that a hit of v at s violates, "" if none. Detached
// says that its database was dropped in this process since the transaction
// began and before the look-up.
func (t *transaction) judge(s address, v history.Value, detached bool) (history.Rule, string) {
	got, r := versionOf(v.Life, v.Write), t.row(s)
	if v != t.value(s, got) {
		return history.Island, "that is another's"
	}
	w, ok := t.board.write(v.Write)
	switch {
	case !ok || w.row != r:
		return history.Island, fmt.Sprintf("that write was of %v", w.row)
	case t.ended:
		return history.Ended, "it has ended"
	case detached:
		return history.Dropped, "the database was dropped here since it began"
	case v.Life < t.lowerBound.lives[t.database]:
		return history.Dropped, fmt.Sprintf("life %d of the database began before it did", t.lowerBound.lives[t.database])
	}
	standing, mine := t.session.made[v.Write]
	switch {
	case mine && !standing:
		return history.RolledBack, "it had undone that itself"
	case w.undone:
		return history.RolledBack, "that was undone"
	case !mine && !w.sent:
		return history.Uncommitted, "nobody has ever sent that to be committed"
	}
	if !t.readOnly {
		if own, ok := t.belief.sets[s.in()]; ok && own != v {
			return history.Own, fmt.Sprintf("it set %v itself", own)
		} else if !ok && t.belief.cleared[s.cache] {
			return history.Own, "it cleared the cache and set nothing there since"
		} else if !ok && t.belief.deleted[s.slot()] {
			return history.Own, "it deleted the key and set nothing there since"
		}
		if own, ok := t.session.own[r]; ok && own != v.Write && !t.belief.owed[s.slot()] {
			return history.Own, fmt.Sprintf("it wrote w%d itself and cleared the cache or deleted the key", own)
		}
	}
	if got < t.lowerBound.rows[r] {
		return history.Stale, fmt.Sprintf("%v was committed before it began", t.lowerBound.rows[r])
	}
	return "", ""
}
