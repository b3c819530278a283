package deletes_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/internal/storetest"
)

// Write-through: what is published of a value that is set after a removal of its own, by
// what others do and when. // P4
func TestWriteThroughAmongOthers(t *testing.T) {
	type act = func(tx *txcache.Tx, c *txcache.Cache[string, int]) error
	others := []struct {
		name  string
		act   act
		harms bool
	}{
		{"nothing", nil, false},
		{"the key", func(tx *txcache.Tx, c *txcache.Cache[string, int]) error { return c.Delete(tx, "x") }, true},
		{"another key", func(tx *txcache.Tx, c *txcache.Cache[string, int]) error { return c.Delete(tx, "y") }, false},
		{"its tag", func(tx *txcache.Tx, c *txcache.Cache[string, int]) error { return tx.ClearTags("tag of x") }, true},
		{"another tag", func(tx *txcache.Tx, c *txcache.Cache[string, int]) error { return tx.ClearTags("tag of y") }, false},
		{"its cache", func(tx *txcache.Tx, c *txcache.Cache[string, int]) error { return c.Clear(tx) }, true},
		{"all", func(tx *txcache.Tx, c *txcache.Cache[string, int]) error { return tx.ClearAll() }, true},
		{"so many keys that all are forgotten", func(tx *txcache.Tx, c *txcache.Cache[string, int]) error {
			return c.Delete(tx, append(manyKeys(4097), "x")...)
		}, true},
	}
	whens := []string{"before the delete", "before the set", "after the set", "during the commit", "still committing"}
	eachRemoval(t, func(t *testing.T, s storetest.Setup, r removal) {
		for _, other := range others {
			for _, when := range whens {
				if other.act == nil && when != whens[0] {
					continue
				}
				t.Run(other.name+"/"+when, func(t *testing.T) {
					stores := s.Open(t, 2, txcache.Options{})
					caches := []*txcache.Cache[string, int]{tagged(t, stores[0], txcache.CacheOptions{}), tagged(t, stores[1], txcache.CacheOptions{})}
					storetest.Publish(t, stores[0], "db", caches[0], "x", 1)
					for _, by := range []int{0, 1} { // the other is of the same process, or of another
						tx := storetest.Begin(t, stores[0], "db")
						now := func(now string) {
							if other.act == nil || now != when {
								return
							}
							tx := storetest.Begin(t, stores[by], "db")
							must(t, other.act(tx, caches[by]))
							storetest.Commit(t, tx)
						}
						now("before the delete")
						r.in(t, tx, caches[0])
						now("before the set")
						caches[0].Set(tx, "x", 2)
						now("after the set")
						commit := func() {
							must(t, tx.CommitWith(t.Context(), func(context.Context) error { now("during the commit"); return nil }))
						}
						if when == "still committing" {
							// The other fences before, and clears after.
							w := storetest.Begin(t, stores[by], "db")
							must(t, other.act(w, caches[by]))
							must(t, w.CommitWith(t.Context(), func(context.Context) error { commit(); return nil }))
						} else {
							commit()
						}
						for i, store := range stores {
							after := storetest.BeginReadOnly(t, store, "db")
							switch {
							case other.harms:
								storetest.Miss(t, after, caches[i], "x", "another has removed it too")
							case i == 0 || s.Remote:
								storetest.Hit(t, after, caches[i], "x", 2, "it was written through")
							default:
								storetest.Miss(t, after, caches[i], "x", "it was removed")
							}
						}
						fill := storetest.BeginReadOnly(t, stores[0], "db")
						caches[0].Set(fill, "x", 3)
						storetest.Commit(t, fill)
						storetest.Hit(t, storetest.BeginReadOnly(t, stores[0], "db"), caches[0], "x", 3, "it was filled since")
					}
				})
			}
		}
	})
}

// What the transaction itself does, in every order of up to four steps: what it finds
// afterwards, and what others find after its commit.
func TestWriteThroughInEveryOrder(t *testing.T) {
	type model struct {
		own     int  // what it has; 0: nothing
		absent  bool // it knows that there is nothing
		open    bool // it sees what others have
		removed bool
		cleared bool
		loaded  bool // own comes from a loader
	}
	steps := []struct {
		name string
		do   func(t *testing.T, tx *txcache.Tx, c *txcache.Cache[string, int], r removal, n int)
		then func(m *model, n int)
	}{
		{"remove", func(t *testing.T, tx *txcache.Tx, c *txcache.Cache[string, int], r removal, n int) { r.in(t, tx, c) },
			func(m *model, n int) { m.own, m.absent, m.open, m.removed = 0, false, false, true }},
		{"set", func(t *testing.T, tx *txcache.Tx, c *txcache.Cache[string, int], r removal, n int) { c.Set(tx, "x", n) },
			func(m *model, n int) { m.own, m.absent, m.loaded = n, false, false }},
		{"set absent", func(t *testing.T, tx *txcache.Tx, c *txcache.Cache[string, int], r removal, n int) {
			c.SetAbsent(tx, "x")
		},
			func(m *model, n int) { m.own, m.absent, m.loaded = 0, true, false }},
		{"load", func(t *testing.T, tx *txcache.Tx, c *txcache.Cache[string, int], r removal, n int) {
			_, _ = c.Load(t.Context(), tx, "x", storetest.Constant(n, nil))
		}, func(m *model, n int) {
			if m.own == 0 && !m.absent && !m.open {
				m.own, m.loaded = n, true
			}
		}},
		{"clear", func(t *testing.T, tx *txcache.Tx, c *txcache.Cache[string, int], r removal, n int) {
			storetest.Clear(t, tx, c)
		},
			func(m *model, n int) { m.own, m.absent, m.open, m.cleared = 0, false, false, true }},
	}
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		r := removals[0]
		store := s.One(t)
		c := tagged(t, store, txcache.CacheOptions{})
		every := 1
		if s.Slow {
			every = 7 // each step at each place, after each of the others
		}
		for order := 0; order < 625; order += every {
			code := order
			name := ""
			storetest.Publish(t, store, "db", c, "x", 1)
			tx := storetest.Begin(t, store, "db")
			m := model{open: true}
			for i := range 4 {
				step := steps[code%5]
				code /= 5
				name += "/" + step.name
				step.do(t, tx, c, r, 10+i)
				step.then(&m, 10+i)
			}
			check := func(tx *txcache.Tx, when string, value int, absent bool) {
				v, ok := c.Get(t.Context(), tx, "x")
				if ok != (value > 0) || v != value || c.Absent(t.Context(), tx, "x") != absent {
					t.Errorf("%s: %s it finds %d, %v, absent: %v; want %d, absent: %v", name, when, v, ok, !absent, value, absent)
				}
			}
			if m.own == 0 && !m.absent && m.open {
				check(tx, "within", 1, false)
			} else {
				check(tx, "within", m.own, m.absent)
			}
			storetest.Commit(t, tx)
			after := storetest.BeginReadOnly(t, store, "db")
			switch {
			case m.cleared:
				check(after, "afterwards", 0, false)
			case !m.removed && m.own == 0 && !m.absent:
				check(after, "afterwards", 1, false)
			case m.removed && m.loaded && m.own > 0:
				check(after, "afterwards", 0, false)
			default:
				check(after, "afterwards", m.own, m.absent)
			}
			clean := storetest.Begin(t, store, "db")
			must(t, c.Delete(clean, "x"))
			storetest.Commit(t, clean)
		}
	})
}

// An absence bears no tag, and goes with its key.
func TestAbsences(t *testing.T) {
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		store := s.One(t)
		c := tagged(t, store, txcache.CacheOptions{})
		fill := storetest.BeginReadOnly(t, store, "db")
		c.SetAbsent(fill, "x")
		if _, err := c.Load(t.Context(), fill, "y", storetest.Constant(0, txcache.ErrAbsent)); err != txcache.ErrAbsent {
			t.Fatal(err)
		}
		storetest.Commit(t, fill)
		removeTag(t, store, "tag of x")
		for _, key := range []string{"x", "y"} {
			if !c.Absent(t.Context(), storetest.BeginReadOnly(t, store, "db"), key) {
				t.Errorf("%s is not absent any more", key)
			}
		}
		old := storetest.BeginReadOnly(t, store, "db")
		for _, key := range []string{"x", "y"} {
			tx := storetest.Begin(t, store, "db")
			must(t, c.Delete(tx, key))
			if c.Absent(t.Context(), tx, key) {
				t.Errorf("%s is absent although it was deleted", key)
			}
			storetest.Commit(t, tx)
		}
		c.SetAbsent(old, "x")
		storetest.Commit(t, old)
		after := storetest.BeginReadOnly(t, store, "db")
		for _, key := range []string{"x", "y"} {
			if c.Absent(t.Context(), after, key) {
				t.Errorf("%s is absent although it was deleted", key)
			}
			if v, err := c.Load(t.Context(), after, key, storetest.Constant(2, nil)); v != 2 || err != nil {
				t.Errorf("Load = %d, %v; want what is there now", v, err)
			}
		}
		// Deleted, then known to be absent: the row was removed.
		tx := storetest.Begin(t, store, "db")
		must(t, c.Delete(tx, "z"))
		c.SetAbsent(tx, "z")
		storetest.Commit(t, tx)
		if !c.Absent(t.Context(), storetest.BeginReadOnly(t, store, "db"), "z") {
			t.Error("the absence was not written through")
		}
	})
}

// The value that is written through has other tags than the one before.
func TestTagsOfTheNewValue(t *testing.T) {
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		for _, by := range []string{"nobody", "itself before", "itself after", "another"} {
			for _, tag := range []string{"value 1", "value 2", "value 3"} {
				t.Run(by+"/"+tag, func(t *testing.T) {
					store := s.One(t)
					c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
					c.TagBy(func(_ string, v int) []string { return []string{fmt.Sprint("value ", v)} })
					storetest.Publish(t, store, "db", c, "x", 1)
					tx := storetest.Begin(t, store, "db")
					if by == "itself before" {
						must(t, tx.ClearTags(tag))
					}
					must(t, c.Delete(tx, "x"))
					c.Set(tx, "x", 2)
					switch by {
					case "itself after":
						must(t, tx.ClearTags(tag))
					case "another":
						removeTag(t, store, tag)
					}
					storetest.Commit(t, tx)
					after := storetest.BeginReadOnly(t, store, "db")
					if tag == "value 2" && (by == "itself after" || by == "another") {
						storetest.Miss(t, after, c, "x", "its tag was cleared")
					} else {
						storetest.Hit(t, after, c, "x", 2, "it was written through")
					}
				})
			}
		}
	})
}
