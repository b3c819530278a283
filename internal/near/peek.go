package near

// Peek returns what is kept under key, whose hash is given, and when it expires
// or expired, 0 for never. It does not count as a use.
func (m *Map[K, V]) Peek(key K, hash uint64) (value V, expires int64, ok bool) {
	return m.Find(key, hash).Peek()
}

// gone is the expiry of an entry that was let go, long ago for any clock.
const gone = 1

// Expire lets go of the value of key, whose hash is given, if it is there. Its
// place stays taken until another value needs it.
func (m *Map[K, V]) Expire(key K, hash uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.table.Load()
	if t == nil {
		return
	}
	if old, slot := t.search(key, uint32(hash)); old != nil {
		var none V
		slot.Store(newEntry(key, old.hash(), none, gone, 0))
		m.timed += 1 - old.timed()
		if m.owner != nil {
			m.reweigh(t, t.number(slot, uint32(hash)), 0)
			m.tell(0)
		}
	}
}
