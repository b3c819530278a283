package history

import "slices"

// shrink returns a history that still fails, with as few steps as it can find
// by leaving out whole transactions, then steps (Zeller and Hildebrandt,
// "Simplifying and Isolating Failure-Inducing Input", 2002). It plays no more
// than tries histories.
func shrink(h History, tries int, fails func(History) bool) History {
	try := func(steps []Step) bool {
		if tries--; tries < 0 {
			return false
		}
		if smaller := (History{h.Seed, h.World, steps}); fails(smaller) {
			h = smaller
			return true
		}
		return false
	}
	for before := -1; before != len(h.Steps) && tries > 0; {
		before = len(h.Steps)
		var ids []int
		for _, s := range h.Steps {
			if !slices.Contains(ids, s.Tx) {
				ids = append(ids, s.Tx)
			}
		}
		without(len(ids), func(from, to int) bool {
			return try(slices.DeleteFunc(slices.Clone(h.Steps), func(s Step) bool { return slices.Contains(ids[from:to], s.Tx) }))
		})
		all := h.Steps
		gone := make([]bool, len(all))
		without(len(all), func(from, to int) bool {
			var steps []Step
			for i, s := range all {
				if !gone[i] && (i < from || i >= to) {
					steps = append(steps, s)
				}
			}
			if !try(steps) {
				return false
			}
			for i := from; i < to; i++ {
				gone[i] = true
			}
			return true
		})
	}
	return h
}

// without calls try with ranges of n things, from halves down to single ones,
// and not again with any that it could do without.
func without(n int, try func(from, to int) bool) {
	type span struct{ from, to int }
	left := []span{{0, n}}
	for size := n; size > 0 && n > 0; size /= 2 {
		var kept []span
		for _, s := range left {
			for from := s.from; from < s.to; from += size {
				if to := min(from+size, s.to); !try(from, to) {
					kept = append(kept, span{from, to})
				}
			}
		}
		left = kept
	}
}
