package near

// Ghosts remember when entries left the window for good, by their hashes. Each
// hash has one place, and a later one there takes it from an earlier one, so
// what is long ago is forgotten sooner or later.
type ghosts []ghost

type ghost struct {
	hash uint32
	left uint32 // by the clock of the policy
}

// remember notes that the entry with hash left at the moment left.
func (g ghosts) remember(hash, left uint32) { *g.of(hash) = ghost{hash, left} }

// recall returns when the entry with hash left; ok is false if that is not
// known.
func (g ghosts) recall(hash uint32) (left uint32, ok bool) {
	found := *g.of(hash)
	return found.left, found.hash == hash
}

func (g ghosts) of(hash uint32) *ghost {
	return &g[uint64(hash)*uint64(len(g))>>32]
}
