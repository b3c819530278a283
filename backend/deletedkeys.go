package backend

import "slices"

// deletedKeys are deletes of keys, by hash. They are a trie that nobody changes, as in
// Phil Bagwell, "Ideal Hash Trees" (2001): a change copies the way to what it changes
// and shares the rest, and a look-up takes a few steps, however many keys there are.
// Nil are none.
type deletedKeys struct {
	leaf     []deletedKey      // in any order, if there are no branches
	branches *[16]*deletedKeys // by the next four bits of where a key is
}

// A deletedKey has the numbers of the last delete of a key and of the one before.
type deletedKey struct{ hash, last, before uint64 }

// leafSize is how many keys a leaf has at most. More make it branch.
const leafSize = 16

// branch returns in which branch a hash is, after depth branches. Two hashes differ
// after 16 of them at the latest.
func branch(hash uint64, depth int) uint64 {
	return spread(hash) << (4 * depth) >> 60
}

// spread makes the first bits of hashes differ, also if only their last ones do, and
// takes no two hashes to the same one (Knuth, The Art of Computer Programming, 6.4).
func spread(hash uint64) uint64 { return hash * 0x9e3779b97f4a7c15 }

// find returns the delete of a key, the zero one if it is not there.
func (t *deletedKeys) find(hash uint64) deletedKey {
	for at := spread(hash); t != nil; at <<= 4 {
		if t.branches != nil {
			t = t.branches[at>>60]
			continue
		}
		for i := range t.leaf {
			if t.leaf[i].hash == hash {
				return t.leaf[i]
			}
		}
		break
	}
	return deletedKey{}
}

// put returns t, which is under depth branches, with k, and whether k's key was not there.
func (t *deletedKeys) put(k deletedKey, depth int) (with *deletedKeys, added bool) {
	if t == nil {
		return &deletedKeys{leaf: []deletedKey{k}}, true
	}
	if t.branches != nil {
		branches := *t.branches
		next := &branches[branch(k.hash, depth)]
		*next, added = (*next).put(k, depth+1)
		return &deletedKeys{branches: &branches}, added
	}
	if i := slices.IndexFunc(t.leaf, func(o deletedKey) bool { return o.hash == k.hash }); i >= 0 {
		leaf := slices.Clone(t.leaf)
		leaf[i] = k
		return &deletedKeys{leaf: leaf}, false
	}
	if len(t.leaf) < leafSize {
		return &deletedKeys{leaf: append(slices.Clip(t.leaf), k)}, true
	}
	with = &deletedKeys{branches: new([16]*deletedKeys)}
	for _, o := range t.leaf {
		next := &with.branches[branch(o.hash, depth)]
		*next, _ = (*next).put(o, depth+1)
	}
	return with.put(k, depth)
}

// without returns t, which is under depth branches, without the key with that hash, and whether it was there.
func (t *deletedKeys) without(hash uint64, depth int) (rest *deletedKeys, removed bool) {
	if t == nil {
		return nil, false
	}
	if t.branches == nil {
		i := slices.IndexFunc(t.leaf, func(k deletedKey) bool { return k.hash == hash })
		switch {
		case i < 0:
			return t, false
		case len(t.leaf) == 1:
			return nil, true
		}
		return &deletedKeys{leaf: slices.Concat(t.leaf[:i], t.leaf[i+1:])}, true
	}
	branches := *t.branches
	next := &branches[branch(hash, depth)]
	if *next, removed = (*next).without(hash, depth+1); !removed {
		return t, false
	}
	if branches == ([16]*deletedKeys{}) {
		return nil, true
	}
	return &deletedKeys{branches: &branches}, true
}

// after returns t without the keys that were not deleted after number, and calls gone with each of these.
func (t *deletedKeys) after(number uint64, gone func(deletedKey)) *deletedKeys {
	if t == nil {
		return nil
	}
	if t.branches == nil {
		var leaf []deletedKey
		for _, k := range t.leaf {
			if k.last > number {
				leaf = append(leaf, k)
			} else {
				gone(k)
			}
		}
		if leaf == nil {
			return nil
		}
		return &deletedKeys{leaf: leaf}
	}
	left := &deletedKeys{branches: new([16]*deletedKeys)}
	for i, next := range t.branches {
		left.branches[i] = next.after(number, gone)
	}
	if *left.branches == ([16]*deletedKeys{}) {
		return nil
	}
	return left
}

// each calls do with every key.
func (t *deletedKeys) each(do func(deletedKey)) {
	if t == nil {
		return
	}
	for _, k := range t.leaf {
		do(k)
	}
	if t.branches != nil {
		for _, next := range t.branches {
			next.each(do)
		}
	}
}
