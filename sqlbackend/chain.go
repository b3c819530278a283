package sqlbackend

import (
	"slices"
	"sync/atomic"

	"github.com/seed-dad15c92/txcache/backend"
)

// A packed row lists the tokens of rows that it was made of: those that were folded last, at most maxOf. So
// a process that knows some of these learns that the sum shows them, also if it shows more.
const maxOf = 64

// leastNamed is the least token that names a row here. Those of other programs may not be as random
// as they should be, and small ones are not.
const leastNamed = 1 << 40

// chains counts those of all Backends of the process.
var chains atomic.Uint64

// maxOlder is how many states in a row are taken for those of older snapshots, as they count fewer
// transactions than the last of the chain. After more of them the database was restored, or dropped.
const maxOlder = 8

// order gives the state of next its place: after the last view of the tenant's chain, from
// which it differs by change, if it continues the chain.
func (n *tenant) order(next *view, change *content, continues bool) {
	switch {
	case continues:
		s := n.head.state
		next.state.Chain, next.state.Step, next.state.TagSteps = s.Chain, s.Step+1, stepTags(s.TagSteps, s.Step+1, change)
	case n.head != nil && n.older < maxOlder && idOf(next.rows).n < idOf(n.head.rows).n:
		n.older++
		return
	default:
		next.state.Chain = chains.Add(1)
	}
	n.head, n.older = next, 0
}

// stepTags adds the tags that a change has cleared at a step. Where the sum of a group has
// changed, each tag may be one of them.
func stepTags(steps *backend.Deletes, step uint64, change *content) *backend.Deletes {
	var tags []uint64
	for at, number := range change.keys {
		switch {
		case at.cache != "" || number == 0:
		case at.group:
			steps = steps.Raise("", step)
		default:
			tags = append(tags, at.hash)
		}
	}
	slices.Sort(tags)
	return steps.Add(step, backend.Keys{Hashes: tags})
}

// shows reports whether all that some rows show is shown by others, as far as it can be told.
func shows(some, others []*row) bool {
	gone, added := difference(some, others)
	if len(gone) == 0 {
		return true
	}
	in := map[int64]bool{}
	for _, r := range added {
		if !r.packed() {
			continue
		}
		c, err := r.content()
		if err != nil {
			return false
		}
		for _, token := range c.of {
			in[token] = true
		}
	}
	return !slices.ContainsFunc(gone, func(r *row) bool { return r.token < leastNamed || !in[r.token] })
}

// madeOf returns what a packed row lists that is made of rows, which are in the order of their ids: first
// packed ones, as every process knows these.
func madeOf(rows []storedRow) (of []int64) {
	var single, inherited []int64
	for _, r := range slices.Backward(rows) {
		if r.packed() {
			of = append(of, r.token)
			inherited = append(inherited, r.parsed.of...)
		} else {
			single = append(single, r.token)
		}
	}
	of = slices.Concat(of, single, inherited)
	return of[:min(len(of), maxOf)]
}
