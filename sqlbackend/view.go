package sqlbackend

import (
	"cmp"
	"maps"
	"slices"

	"github.com/seed-dad15c92/txcache/backend"
)

// A view is a State, and the rows that it is the sum of. Nobody changes a view but for
// its rows, which may be replaced by others with the same sum.
type view struct {
	rows  []*row
	base  sum
	own   []cacheSum // of caches that are cleared by name, in the order of state.Caches
	state *backend.State
}

type cacheSum struct {
	cache string
	sum
}

// idOf returns the sum of a set of rows. Equal ones are the same set, but for a chance of 2⁻⁶².
func idOf(rows []*row) (id sum) {
	for _, r := range rows {
		id = id.plus(r.sum())
	}
	return id
}

// difference returns the rows that are in one of two lists and not in the other. If all
// that are gone have the sum of a packed row that is new, then it was made of
// them, and both are left out; and so the other way round, for an older snapshot.
func difference(old, now []*row) (gone, added []*row) {
	count := make(map[*row]int, len(old))
	for _, r := range old {
		count[r]++
	}
	for _, r := range now {
		if count[r] > 0 {
			count[r]--
		} else {
			added = append(added, r)
		}
	}
	for _, r := range old {
		if count[r] > 0 {
			count[r]--
			gone = append(gone, r)
		}
	}
	if i := packedOf(gone, added); i >= 0 {
		return nil, slices.Delete(added, i, i+1)
	}
	if i := packedOf(added, gone); i >= 0 {
		return slices.Delete(gone, i, i+1), nil
	}
	return gone, added
}

// packedOf returns the index of the row among packed that was made of rows, or -1.
func packedOf(rows, packed []*row) int {
	if len(rows) < 2 {
		return -1
	}
	id := idOf(rows)
	return slices.IndexFunc(packed, func(r *row) bool { return r.packed() && r.sum() == id })
}

// with returns the view of other rows, which differ from those of v by gone and added, and
// the difference of their sums.
func (v *view) with(rows, gone, added []*row) (next *view, change *content, err error) {
	change = newContent()
	for _, r := range gone {
		c, err := r.content()
		if err != nil {
			return nil, nil, err
		}
		change.subtract(c)
	}
	for _, r := range added {
		c, err := r.content()
		if err != nil {
			return nil, nil, badRow{r, err}
		}
		change.add(c)
	}
	next = &view{rows: rows, base: v.base.plus(change.caches[""])}
	next.state = &backend.State{Epoch: next.base.token(), Base: next.base.token(), Sums: v.state.Sums, Caches: v.state.Caches}
	delete(change.caches, "")
	next.sumUp(v, change.caches)
	for at, number := range change.keys {
		switch {
		case number == 0:
		case at.group:
			next.state.Sums = next.state.Sums.AddGroup(at.cache, at.hash, number)
		default:
			next.state.Sums = next.state.Sums.Add(at.cache, at.hash, number)
		}
	}
	return next, change, nil
}

// sumUp makes the caches of v those of old with changes. What has not changed it shares.
func (v *view) sumUp(old *view, changes map[string]sum) {
	maps.DeleteFunc(changes, func(_ string, s sum) bool { return s == sum{} })
	if len(changes) == 0 && v.base == old.base {
		v.own = old.own
		return
	}
	changed := slices.Sorted(maps.Keys(changes))
	v.own = make([]cacheSum, 0, len(old.own)+len(changed))
	caches := make([]backend.Generation, 0, len(old.own)+len(changed))
	put := func(c cacheSum) {
		if c.sum != (sum{}) {
			v.own = append(v.own, c)
			caches = append(caches, backend.Generation{Cache: c.cache, Token: v.base.plus(c.sum).token()})
		}
	}
	keep := func(from, to int) {
		if v.base == old.base {
			v.own = append(v.own, old.own[from:to]...)
			caches = append(caches, old.state.Caches[from:to]...)
			return
		}
		for _, c := range old.own[from:to] {
			put(c)
		}
	}
	at := 0
	for _, cache := range changed {
		i, found := slices.BinarySearchFunc(old.own[at:], cache, func(c cacheSum, name string) int { return cmp.Compare(c.cache, name) })
		keep(at, at+i)
		at += i
		c := cacheSum{cache, changes[cache]}
		if found {
			c.sum = c.plus(old.own[at].sum)
			at++
		}
		put(c)
	}
	keep(at, len(old.own))
	v.state.Caches = caches
}

// A badRow is an error of a row that cannot be read.
type badRow struct {
	row *row
	err error
}

func (b badRow) Error() string { return b.err.Error() }

func (b badRow) Unwrap() error { return b.err }

var empty = &view{state: &backend.State{}}
