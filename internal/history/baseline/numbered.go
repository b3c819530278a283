package baseline

// numbered is the state of a server that numbers what happens, and remembers which keys
// and tags were deleted when. Its time is the server's clock.
type numbered struct {
	epochs map[string]int // of databases: how often they were dropped
	fences map[*fence]bool
	floors map[cacheKey]int
	keys   map[cacheKey][]deleted // the oldest first
	tags   map[[2]string]deleted  // by database and tag
}

// A fence stands while a transaction commits.
type fence struct {
	database string
	cuts
}

// A deleted is when a key was deleted, or a tag cleared, at last and before that.
type deleted struct {
	key          string
	last, before int
}

// remembered is how many deletes of a cache are remembered.
const remembered = 1

func newNumbered() numbered {
	return numbered{map[string]int{}, map[*fence]bool{}, map[cacheKey]int{}, map[cacheKey][]deleted{}, map[[2]string]deleted{}}
}

// key returns what is known of a key's deletes.
func (n *numbered) key(at cacheKey, key string) deleted {
	d := deleted{key: key}
	for _, one := range n.keys[at] {
		if one.key == key {
			d = one
		}
	}
	d.last, d.before = max(d.last, n.floors[at]), max(d.before, n.floors[at])
	return d
}

// changed returns when a value was last taken away, and whether that was done only once
// since the time began.
func (s *server) changed(e entry, began int) (last int, once bool) {
	all := []deleted{s.numbered.key(e.cacheKey, e.slot.key)}
	for _, tag := range s.tags(e.slot.cache, e.value) {
		all = append(all, s.numbered.tags[[2]string{e.database, tag}])
	}
	once = true
	for _, d := range all {
		last = max(last, d.last)
		once = once && d.before <= began
	}
	return last, once
}

// fenced reports whether a fence stands on a value, or stood when the transaction began.
func (s *server) fenced(t *transaction, e entry) bool {
	covers := func(f *fence) bool {
		return f.database == e.database && f.covers(e.slot, s.tags(e.slot.cache, e.value))
	}
	for f := range s.numbered.fences {
		if f != t.fence && covers(f) {
			return true
		}
	}
	for _, f := range t.fences {
		if covers(f) {
			return true
		}
	}
	return false
}

// reads reports whether the transaction may read an entry. s.mu is held.
func (s *server) reads(t *transaction, e entry) bool {
	last, _ := s.changed(e, t.began)
	return t.epoch == s.numbered.epochs[t.database] && !s.fenced(t, e) && e.fill >= last && last <= t.began
}

// fills gives an entry its fill. It reports whether the transaction may publish it. s.mu is
// held.
func (s *server) fills(t *transaction, e *entry) bool {
	last, once := s.changed(*e, t.began)
	e.fill = t.began
	if s.scheme.Newest || t.fence != nil {
		e.fill = s.clock
	}
	switch {
	case t.epoch != s.numbered.epochs[t.database] || s.fenced(t, *e):
		return false
	case t.fence != nil && t.cuts.hides(e.slot):
		return !t.cuts.cleared[e.slot.cache] && (once || s.scheme.Unchecked)
	}
	return last <= t.began || s.scheme.Newest
}

// place places the fence of a commit. s.mu is held.
func (s *server) place(t *transaction) {
	t.fence = &fence{t.database, t.cuts}
	s.numbered.fences[t.fence] = !s.scheme.Unfenced
	if s.scheme.Unfenced {
		delete(s.numbered.fences, t.fence)
	}
}

// remove takes away what a transaction has cut off, and its fence. s.mu is held.
func (s *server) remove(t *transaction) {
	s.clock++
	n := &s.numbered
	delete(n.fences, t.fence)
	for cache := range t.cuts.cleared {
		n.floors[t.cacheKey(cache)] = s.clock
	}
	for at := range t.cuts.deleted {
		s.delete(t.cacheKey(at.cache), at.key)
	}
	for tag := range t.cuts.tags {
		at := [2]string{t.database, tag}
		n.tags[at] = deleted{tag, s.clock, n.tags[at].last}
	}
}

// delete notes a delete of a key, and forgets the oldest one of the cache.
func (s *server) delete(at cacheKey, key string) {
	n := &s.numbered
	kept := []deleted{}
	for _, one := range n.keys[at] {
		if one.key != key {
			kept = append(kept, one)
		}
	}
	kept = append(kept, deleted{key, s.clock, n.key(at, key).last})
	if len(kept) > remembered {
		if !s.scheme.Unfloored {
			n.floors[at] = max(n.floors[at], kept[0].last)
		}
		kept = kept[1:]
	}
	n.keys[at] = kept
}
