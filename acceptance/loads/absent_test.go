package loads_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/internal/storetest"
	"github.com/seed-dad15c92/txcache/memorybackend"
)

var errNoRow = fmt.Errorf("no such price: %w", txcache.ErrAbsent)

// asksNobody fails the test unless Load answers ErrAbsent by itself.
func asksNobody(t *testing.T, tx *txcache.Tx, c *txcache.Cache[string, int], why string) {
	t.Helper()
	if v, err := c.Load(t.Context(), tx, "x", func(context.Context) (int, error) { return 0, fmt.Errorf("asked") }); err != txcache.ErrAbsent {
		t.Errorf("Load = %d, %v; want ErrAbsent: %s", v, err, why)
	}
	if _, ok := c.Get(t.Context(), tx, "x"); ok {
		t.Errorf("Get has a value: %s", why)
	}
	if !c.Absent(t.Context(), tx, "x") {
		t.Errorf("Absent = false: %s", why)
	}
}

func known(t *testing.T, tx *txcache.Tx, c *txcache.Cache[string, int], why string) {
	t.Helper()
	if c.Absent(t.Context(), tx, "x") {
		t.Errorf("Absent = true: %s", why)
	}
}

func TestAbsenceIsRemembered(t *testing.T) {
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		servers := s.Open(t, 2, txcache.Options{})
		c := storetest.NewCache[string, int](t, servers[0], "c", txcache.CacheOptions{})
		other := storetest.NewCache[string, int](t, servers[1], "c", txcache.CacheOptions{})
		tx := storetest.BeginReadOnly(t, servers[0], "db")
		known(t, tx, c, "nothing is known yet")
		if _, err := c.Load(t.Context(), tx, "x", storetest.Constant(0, errNoRow)); err != txcache.ErrAbsent {
			t.Errorf("Load = %v; want ErrAbsent", err)
		}
		asksNobody(t, tx, c, "it has been loaded here")
		storetest.Commit(t, tx)
		asksNobody(t, storetest.Begin(t, servers[0], "db"), c, "it has been loaded in this process")
		if s.Remote {
			asksNobody(t, storetest.Begin(t, servers[1], "db"), other, "it has been loaded in another process")
			asksNobody(t, storetest.Begin(t, servers[1], "db"), other, "it is near by now")
		}
		if got := c.GetMany(t.Context(), storetest.Begin(t, servers[0], "db"), []string{"x"}); len(got) != 0 {
			t.Errorf("GetMany = %v; want nothing", got)
		}
		if s := c.Stats(); s.AbsentHits != 7 || s.LoadErrors != 0 || s.BadPayloads != 0 {
			t.Errorf("Stats = %+v; want 7 absent hits, and no errors", s)
		}

		writer := storetest.Begin(t, servers[1], "db")
		storetest.Clear(t, writer, other)
		storetest.Commit(t, writer)
		known(t, storetest.Begin(t, servers[0], "db"), c, "the cache was cleared")
		storetest.Publish(t, servers[0], "db", c, "x", 1)
		storetest.Hit(t, storetest.Begin(t, servers[0], "db"), c, "x", 1, "there is a row now")
	})
}

// P1, P2: what a read-write transaction finds absent may be its own deletion.
func TestAbsenceIsPrivateUntilCommit(t *testing.T) {
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		store := s.One(t)
		c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
		for _, committed := range []bool{false, true} {
			tx := storetest.Begin(t, store, "db")
			if _, err := c.Load(t.Context(), tx, "x", storetest.Constant(0, errNoRow)); err != txcache.ErrAbsent {
				t.Errorf("Load = %v; want ErrAbsent", err)
			}
			asksNobody(t, tx, c, "it is its own")
			known(t, storetest.Begin(t, store, "db"), c, "it is not committed")
			tx.Savepoint(func(tx *txcache.Tx) error {
				c.Set(tx, "x", 1)
				storetest.Hit(t, tx, c, "x", 1, "it has been set since")
				return errNoRow
			})
			asksNobody(t, tx, c, "the savepoint was undone")
			if !committed {
				tx.Rollback()
				known(t, storetest.Begin(t, store, "db"), c, "it was rolled back")
				continue
			}
			storetest.Commit(t, tx)
			asksNobody(t, storetest.Begin(t, store, "db"), c, "it was committed")
		}
	})
}

// A value takes the place of an absence, and the other way round.
func TestAbsenceAndValueReplaceEachOther(t *testing.T) {
	storetest.Everywhere(t, func(t *testing.T, s storetest.Setup) {
		store := s.One(t)
		c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
		for range 2 {
			tx := storetest.BeginReadOnly(t, store, "db")
			c.SetAbsent(tx, "x")
			asksNobody(t, tx, c, "it was set")
			storetest.Commit(t, tx)
			asksNobody(t, storetest.BeginReadOnly(t, store, "db"), c, "it was set")
			storetest.Publish(t, store, "db", c, "x", 1)
			storetest.Hit(t, storetest.BeginReadOnly(t, store, "db"), c, "x", 1, "it was set since")
			known(t, storetest.BeginReadOnly(t, store, "db"), c, "it was set since")
		}
	})
}

func TestAbsenceLastsAsLongAsItsOption(t *testing.T) {
	for _, test := range []struct {
		name             string
		duration, absent time.Duration
		lasts            time.Duration // 0: not at all, -1: for ever
	}{
		{"as a value, for ever", 0, 0, -1},
		{"as a value", time.Minute, 0, time.Minute},
		{"its own", 0, time.Second, time.Second},
		{"shorter than a value", time.Minute, time.Second, time.Second},
		{"no longer than a value", time.Minute, time.Hour, time.Minute},
		{"not at all", time.Minute, -1, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			for _, s := range storetest.Setups[:3] {
				t.Run(s.Name, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						store := s.One(t)
						c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{Duration: test.duration, Absent: test.absent})
						tx := storetest.BeginReadOnly(t, store, "db")
						if _, err := c.Load(t.Context(), tx, "x", storetest.Constant(0, errNoRow)); err != txcache.ErrAbsent {
							t.Errorf("Load = %v; want ErrAbsent", err)
						}
						storetest.Commit(t, tx)
						switch test.lasts {
						case 0:
							known(t, storetest.BeginReadOnly(t, store, "db"), c, "absences are not remembered")
							return
						case -1:
							time.Sleep(1000 * time.Hour)
							asksNobody(t, storetest.BeginReadOnly(t, store, "db"), c, "nobody has cleared")
							return
						}
						time.Sleep(test.lasts - time.Millisecond)
						asksNobody(t, storetest.BeginReadOnly(t, store, "db"), c, "it is not over yet")
						time.Sleep(time.Millisecond)
						known(t, storetest.BeginReadOnly(t, store, "db"), c, "it is over")
					})
				})
			}
		})
	}
}

// An absence ends with Set, also where the value is evicted before it is asked for.
func TestSetEndsAnAbsence(t *testing.T) {
	store := storetest.NewStore(t, memorybackend.New(), txcache.Options{})
	c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{Size: 1})
	tx := storetest.BeginReadOnly(t, store, "db")
	c.SetAbsent(tx, "x")
	c.Set(tx, "x", 1)
	for i := range 8 { // one of them takes the place of x
		c.Set(tx, string(rune('a'+i)), 2)
	}
	if _, ok := c.Get(t.Context(), tx, "x"); ok {
		t.Fatal("x was not evicted: this test shows nothing")
	}
	if c.Absent(t.Context(), tx, "x") {
		t.Error("x is absent, though it was set since")
	}
}
