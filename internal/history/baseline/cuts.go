package baseline

import (
	"maps"
	"slices"

	"github.com/seed-dad15c92/txcache/internal/history"
)

// A cuts is what a transaction has cleared and deleted.
type cuts struct {
	cleared map[int]bool
	deleted map[slot]bool
	tags    map[string]bool
}

// A slot is a key of a cache.
type slot struct {
	cache int
	key   string
}

func newCuts() cuts { return cuts{map[int]bool{}, map[slot]bool{}, map[string]bool{}} }

func (c cuts) clone() cuts {
	return cuts{maps.Clone(c.cleared), maps.Clone(c.deleted), maps.Clone(c.tags)}
}

// hides reports whether values in a slot are cut off whatever they are.
func (c cuts) hides(at slot) bool { return c.cleared[at.cache] || c.deleted[at] }

// covers reports whether a value is cut off.
func (c cuts) covers(at slot, tags []string) bool {
	return c.hides(at) || slices.ContainsFunc(tags, func(tag string) bool { return c.tags[tag] })
}

// tags returns the tags that a value bears.
func (s *server) tags(cache int, v history.Value) []string {
	if s.caches[cache].Tagged {
		return v.Tags()
	}
	return nil
}

// cut returns the number of cuts so far that concern a cache.
func (t *tx) cut(cache int) int {
	t.private.Lock()
	defer t.private.Unlock()
	return t.cutCount[cache]
}

func (t *tx) Clear(cache int) error {
	t.private.Lock()
	defer t.private.Unlock()
	t.cuts.cleared[cache] = true
	t.cutCount[cache]++
	t.forget(func(e entry) bool { return e.slot.cache == cache })
	return nil
}

func (t *tx) ClearAll() error {
	for cache := range t.caches {
		t.Clear(cache)
	}
	return nil
}

func (t *tx) Delete(cache int, keys ...string) error {
	t.private.Lock()
	defer t.private.Unlock()
	t.cutCount[cache]++
	for _, key := range keys {
		at := slot{cache, key}
		t.cuts.deleted[at] = true
		t.forget(func(e entry) bool { return e.slot == at })
	}
	return nil
}

func (t *tx) ClearTags(tags ...string) error {
	t.private.Lock()
	defer t.private.Unlock()
	for _, tag := range tags {
		t.cuts.tags[tag] = true
		t.forget(func(e entry) bool { return !e.absent && slices.Contains(t.server.tags(e.slot.cache, e.value), tag) })
	}
	for cache, c := range t.caches {
		if c.Tagged {
			t.cutCount[cache]++
		}
	}
	return nil
}

// forget forgets values that the transaction has set. t.private is held.
func (t *tx) forget(what func(entry) bool) {
	maps.DeleteFunc(t.own, func(_ any, e entry) bool { return what(e) })
}
