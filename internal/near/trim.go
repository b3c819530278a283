package near

// Trim looks at the next slots, at most so many, from where the Trim before has stopped, and lets go of
// values that have expired, or have not been used since a Trim last came by. They count as evicted. It
// reports whether it has come to the end.
func (m *Map[K, V]) Trim(slots int) (end bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.table.Load()
	if t == nil {
		return true
	}
	now, stride := Now(), strideOf(t.slots())
	next := int(m.swept)
	for last := min(next+slots, t.slots()); next < last; next++ {
		slot := int(uint64(next) * uint64(stride) % uint64(t.slots()))
		if e := t.slot(slot).Load(); e != nil && !m.spared(e, slot, now) {
			m.remove(t, slot)
			m.tell(-1)
			m.evicted()
		}
	}
	if next < t.slots() {
		m.swept = uint32(next)
		return false
	}
	m.swept = 0
	m.shrink(t)
	return true
}

// spared reports whether the entry in a slot stays, and takes a use from it.
func (m *Map[K, V]) spared(e *Entry[K, V], slot int, now int64) bool {
	p, uses := m.policy, e.uses()
	if uses == 0 || e.ExpiredAt(now) {
		if p != nil && p.window.has(slot) {
			p.window.drop(slot)
		}
		return false
	}
	if p != nil {
		p.sketch.add(e.hash(), 1)
	}
	e.setUses(uses - 1)
	return true
}

// shrink makes the table smaller where most of it is free. What the policy knows is by slots of
// the old one, so another policy starts when the map is full again.
func (m *Map[K, V]) shrink(t *table[K, V]) {
	fit := bucketsFor(m.count)
	if 4*fit > len(t.buckets) {
		return
	}
	m.policy = nil
	m.table.Store(t.resized(fit))
	m.tell(0)
}
