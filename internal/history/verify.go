package history

import (
	"context"
	"fmt"
	"slices"
)

// loads is the key, in a context, of the transaction that loads.
type loads struct{}

// ReportStale is what a server calls that has compared, of its own accord, a hit
// with what the loader returned, and believes that somebody forgot to clear; nil
// stands for absent. The context is that of the call of Load. Players never
// forget.
func ReportStale(ctx context.Context, cached, loaded *Value) {
	t, ok := ctx.Value(loads{}).(*transaction)
	if !ok || t.world.Late > 0 {
		return // nobody is bound to know of what was cleared meanwhile
	}
	v := cached
	if v == nil {
		v = loaded
	}
	if v == nil {
		t.violated(t, Mismatch, "what was absent was believed to be stale, and loaded as absent")
		return
	}
	c := slices.IndexFunc(t.world.Caches, func(c CacheSpec) bool { return c.Name == v.Cache })
	r := row{v.Database, v.Life, t.world.Caches[max(0, c)].Table, v.Key}
	if c < 0 || cached != nil && loaded != nil && cached.Life != loaded.Life || !t.exposed(r, cached, loaded) {
		t.violated(t, Mismatch, fmt.Sprintf("had a hit of %v in %q[%q], and loaded %v", shown(cached), v.Cache, v.Key, shown(loaded)))
	}
}

// exposed reports whether all commits between two values were without a fence. An absence
// may be of any time when there was no row.
func (t *transaction) exposed(r row, cached, loaded *Value) bool {
	writes := func(v *Value) []int {
		if v == nil {
			return t.truth.absences(r)
		}
		return []int{v.Write}
	}
	for _, one := range writes(cached) {
		for _, other := range writes(loaded) {
			if t.truth.exposed(r, one, other) {
				return true
			}
		}
	}
	return false
}

func shown(v *Value) string {
	if v == nil {
		return "nothing"
	}
	return v.String()
}

// exposed reports whether all commits between two writes of a row, 0 for none,
// were without a fence when they took effect.
func (t *truth) exposed(r row, one, other int) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	versions := t.versions[r]
	place := func(write int) int {
		if write == 0 {
			return 0
		}
		return slices.Index(versions, write) + 1
	}
	from, to := place(one), place(other)
	from, to = min(from, to), max(from, to)
	if from == to || from == 0 && one != 0 && other != 0 {
		return false // one of them was never committed
	}
	return !slices.ContainsFunc(versions[from:to], func(n int) bool { return !t.events[t.writes[n].at].exposed })
}
