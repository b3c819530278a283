package transaction

import (
	"slices"

	"github.com/seed-dad15c92/txcache/internal/databases"
)

// A verdict says whether a value is good in a view, or why not.
type verdict uint8

const (
	good    verdict = iota
	fenced          // a fence stands on its key or on a tag
	deleted         // its key was deleted, or a tag was cleared, since it was loaded
	floored         // that may be so: deletes were forgotten since it was loaded
)

// judge says whether a value with that fill is good for m; see databases.Marks. tags
// returns the tags that it bears.
func (c *Cache[K, V]) judge(m *databases.Marks, key K, fill uint64, tags func() []uint64) verdict {
	switch {
	case m == nil || fill >= m.Good:
		return good
	case m.Sums && fill != c.sum(m, key): // P4, P11, P12
		return deleted
	case m.Sums:
		return good
	}
	floor, tagFloor := m.Floors()
	if fill < m.LatestKey() || m.KeysFenced() {
		hash := c.Keys.Hash(key)
		last, _ := m.Key(hash)
		switch {
		case m.KeyFenced(hash):
			return fenced
		case fill < last && last == floor:
			return floored
		case fill < last: // P4, P11
			return deleted
		}
	}
	if fill >= m.LatestTag() && !m.TagsFenced() {
		return good
	}
	for _, tag := range tags() {
		last, _ := m.Tag(tag)
		switch {
		case m.TagFenced(tag):
			return fenced
		case fill < last && last == tagFloor:
			return floored
		case fill < last:
			return deleted
		}
	}
	return good
}

// count counts what a look-up found that is not good.
func (c *Counters) count(v verdict) {
	switch v {
	case deleted:
		c.Deleted.Add(1)
	case floored:
		c.Floored.Add(1)
	}
}

// isPrivate reports whether the key is private to t, because a fence stands on it, or
// because the process has learnt of a delete since t began.
func (c *Cache[K, V]) isPrivate(t *Transaction, key K) bool {
	began, newest := t.marks(&c.Core)
	if began == nil && newest == nil {
		return false
	}
	number := t.Number()
	if !began.KeysFenced() && !newest.KeysFenced() && newest.LatestKey() <= number {
		return false
	}
	hash := c.Keys.Hash(key)
	last, _ := newest.Key(hash)
	return last > number || began.KeyFenced(hash) || newest.KeyFenced(hash)
}

// Useful reports whether a value that t has loaded under key is good for transactions
// that begin now, as far as the process knows.
func (c *Cache[K, V]) Useful(t *Transaction, key K, r Result[V]) bool {
	_, newest := t.marks(&c.Core)
	return t.view.Unordered || c.judge(newest, key, t.Number(), func() []uint64 { return c.tags(key, r.Value, r.Found == Absent) }) == good
}

// useful is Useful for an entry.
func (c *Cache[K, V]) useful(t *Transaction, key K, e *entry[V]) bool {
	_, newest := t.marks(&c.Core)
	return t.view.Unordered || c.judge(newest, key, t.Number(), func() []uint64 { return e.tagged() }) == good
}

// A Flight names the loads that callers of one key can share: those that began after
// the same delete of the key and the same clear of any tag. // P4
type Flight[K comparable] struct {
	Key[K]
	since uint64
}

// Flight returns the flight of key for t.
func (g *Generation[K, V]) Flight(t *Transaction, key Key[K]) Flight[K] {
	m, _ := t.marks(&g.of.Core)
	return Flight[K]{key, g.of.since(m, key.Key)}
}

// since returns the fill from which on a load of key can be shared, whatever it finds. Where
// states have no order it is one that only those have who can share it.
func (c *Cache[K, V]) since(m *databases.Marks, key K) uint64 {
	if m != nil && m.Sums {
		return c.sum(m, key)
	}
	if m.LatestKey() == 0 {
		return m.LatestTag()
	}
	last, _ := m.Key(c.Keys.Hash(key))
	return max(last, m.LatestTag())
}

// hidden reports whether what the transaction set under key is gone, as it was deleted,
// or a tag cleared, since. t.mu must be held.
func (c *Cache[K, V]) hidden(t *Transaction, w *work, l *local, key K, e *entry[V]) bool {
	return len(l.deleted) > 0 && l.deleted.since(uint64(e.cut), c.Keys.Hash(key)) || c.tagsCut(t, w, uint64(e.cut), e)
}

// tagsCut reports whether a tag of an entry was cleared since there were so many cuts. Where
// states have no numbers that of any value will do for what was loaded: see clearsTagOf.
func (c *Cache[K, V]) tagsCut(t *Transaction, w *work, cuts uint64, e *entry[V]) bool {
	if t.view.Unordered && e.loaded && c.Tagged.Load() { // P1
		return w.tags.any(cuts)
	}
	return w.tags.since(cuts, e.tagged()...)
}

// HidesTags reports whether what others are loading may bear tags that the transaction
// has cleared, or that are fenced. So it shares no loads, as it cannot know before. A
// value in the process or in the backend can be looked at.
func (c *Cache[K, V]) HidesTags(t *Transaction) bool {
	if !c.Tagged.Load() {
		return false
	}
	if began, newest := t.marks(&c.Core); began.TagsFenced() || newest.TagsFenced() || newest.LatestTag() > t.Number() {
		return true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.work != nil && len(t.work.tags) > 0
}

// clearsTagOf reports whether the transaction has cleared a tag that a value of others
// bears. Where states have no numbers any cleared tag will do: what it has overwritten may have
// borne a tag that an older value, of before somebody else's change, does not bear, nor an absence.
func (c *Cache[K, V]) clearsTagOf(t *Transaction, key K, value V, absent bool) bool {
	if t.ReadOnly || !c.Tagged.Load() {
		return false
	}
	t.mu.Lock()
	none := t.work == nil || len(t.work.tags) == 0
	t.mu.Unlock()
	if none || t.view.Unordered { // P1
		return !none
	}
	tags := c.tags(key, value, absent)
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.work != nil && slices.ContainsFunc(tags, func(tag uint64) bool { return t.work.tags[tag] > 0 })
}
