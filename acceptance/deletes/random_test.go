package deletes_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/internal/storetest"
)

// A random play of transactions over a few rows of one database at snapshot isolation,
// on two servers. A value shows an item, and in some caches the owner of the item too. A
// transaction that writes an item deletes its key, or clears its caches; one that writes
// an owner clears its tag. So a hit must show what was committed when its transaction
// began, or later, and what the transaction has written itself.
func TestRandomDeletes(t *testing.T) {
	seed := storetest.Seed(t)
	plays, steps := 16, 400
	if testing.Short() {
		plays = 4
	}
	setups := append(slices.Clone(storetest.Setups), storetest.Setup{Name: "outages", Remote: true})
	for _, s := range setups {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel()
			hits := 0
			for i := range uint64(plays) {
				synctest.Test(t, func(t *testing.T) {
					w := newWorld(t, s, seed+i)
					w.play(steps)
					hits += w.hits
				})
				if t.Failed() {
					t.Fatalf("seed %d: run it again with TXCACHE_SEED=%d", seed+i, seed+i)
				}
			}
			t.Logf("%d hits from seed %d on", hits, seed)
			if hits < plays*steps/20 {
				t.Errorf("%d hits; want more, or this shows nothing", hits)
			}
		})
	}
}

// A shown is a value of a cache: the writes that it shows, by number.
type shown struct {
	Item, Owner, OwnerRow int
}

type written struct {
	row       string
	owner     int // of an item
	absent    bool
	at, until int // commits that made it visible, and that overwrote it
}

type world struct {
	*testing.T
	*rand.Rand
	setup  storetest.Setup
	stores []*txcache.Store
	caches [][]*subject // by server
	outage *storetest.Outage
	now    int // commits
	writes []written
	last   map[string]int // committed write, by row
	locks  map[string]*player
	doubts []*player
	open   []*player
	log    []string
	hits   int
	depth  int
}

type subject struct {
	*txcache.Cache[string, shown]
	tagged bool
}

type player struct {
	*txcache.Tx
	id, server      int
	readOnly        bool
	begun, snapshot int
	own             map[string]int
}

const (
	items  = 5
	owners = 2
)

func newWorld(t *testing.T, s storetest.Setup, seed uint64) *world {
	w := &world{T: t, Rand: rand.New(rand.NewPCG(seed, 0)), setup: s, last: map[string]int{}, locks: map[string]*player{}, writes: make([]written, 1)}
	opts := txcache.Options{Logger: storetest.Silent}
	if s.Open == nil {
		w.outage = storetest.NewOutage()
		for range 2 {
			w.stores = append(w.stores, storetest.NewStore(t, openOutage{w.outage}, opts))
		}
	} else {
		w.stores = s.Open(t, 2, opts)
	}
	for _, store := range w.stores {
		var all []*subject
		for _, name := range []string{"tagged", "warm", "plain"} {
			c := &subject{storetest.NewCache[string, shown](t, store, name, txcache.CacheOptions{Warm: name == "warm", Size: 3}), name != "plain"}
			if c.tagged {
				c.TagBy(func(_ string, v shown) []string { return []string{fmt.Sprint("owner ", v.Owner)} })
			}
			all = append(all, c)
		}
		w.caches = append(w.caches, all)
	}
	for i := range items {
		w.commit(w.write(fmt.Sprint("item ", i), w.IntN(owners), false))
	}
	for i := range owners {
		w.commit(w.write(fmt.Sprint("owner ", i), 0, false))
	}
	return w
}

type openOutage struct{ *storetest.Outage }

func (openOutage) Close() error { return nil }

func (w *world) write(row string, owner int, absent bool) int {
	w.writes = append(w.writes, written{row, owner, absent, 0, math.MaxInt})
	return len(w.writes) - 1
}

// commit makes writes visible.
func (w *world) commit(writes ...int) {
	w.now++
	for _, n := range writes {
		wr := &w.writes[n]
		wr.at = w.now
		if old := w.last[wr.row]; old > 0 {
			w.writes[old].until = w.now
		}
		w.last[wr.row] = n
	}
}

func (w *world) note(p *player, format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	if p != nil {
		line = fmt.Sprintf("%sT%d on %d: %s", strings.Repeat("  ", w.depth), p.id, p.server, line)
	}
	w.log = append(w.log, line)
}

func (w *world) wrong(format string, args ...any) {
	w.Helper()
	w.Fatalf("%s\n%s", strings.Join(w.log[max(0, len(w.log)-1000):], "\n"), fmt.Sprintf(format, args...))
}

func (w *world) play(steps int) {
	for range steps {
		switch n := w.IntN(40); {
		case n == 0:
			w.settle()
			w.note(nil, "two leases pass")
			w.mend()
			time.Sleep(2*time.Minute + time.Second)
			synctest.Wait()
		case n == 1 && w.outage != nil:
			hidden, down := w.IntN(2) == 0, w.IntN(3) == 0
			w.note(nil, "no clears: %v, down: %v", hidden, down)
			w.outage.Be(func() { w.outage.NoClears = hidden })
			w.outage.SetDown(down)
		case n == 2 && w.IntN(3) == 0 && w.outage == nil && w.setup.Name != "redis" && w.setup.Name != "redis without near":
			w.flood()
		case n < 8 || len(w.open) == 0:
			w.begin()
		default:
			w.step(w.open[w.IntN(len(w.open))])
		}
	}
	w.mend()
	w.settle()
	for _, p := range w.open {
		p.Rollback()
	}
}

func (w *world) mend() {
	if w.outage != nil {
		w.outage.Be(func() { w.outage.NoClears = false })
		w.outage.SetDown(false)
	}
}

// flood deletes so many other keys that all deletes are forgotten.
func (w *world) flood() {
	w.note(nil, "flood")
	names := []int{0, 1, 2}
	for i := range 3 {
		tx := storetest.Begin(w.T, w.stores[0], "db")
		for _, n := range names {
			keys := make([]string, 4096)
			for j := range keys {
				keys[j] = fmt.Sprint("flood ", i, j)
			}
			if err := w.caches[0][n].Delete(tx, keys...); err != nil {
				w.Fatal(err)
			}
		}
		storetest.Commit(w.T, tx)
	}
}

func (w *world) begin() {
	p := &player{id: len(w.log), server: w.IntN(2), readOnly: w.IntN(2) == 0, begun: w.now, own: map[string]int{}}
	if p.readOnly {
		p.Tx = storetest.BeginReadOnly(w.T, w.stores[p.server], "db")
	} else {
		p.Tx = storetest.Begin(w.T, w.stores[p.server], "db")
	}
	p.snapshot = w.now
	w.note(p, "begins, read-only: %v", p.readOnly)
	w.open = append(w.open, p)
}
