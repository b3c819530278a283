package enlisted_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/enlistertest"
	"github.com/seed-dad15c92/txcache/internal/storetest"
)

const rows = 6

// A server is a process: a store over the database, with its caches.
type server struct {
	store *txcache.Store
	row   *txcache.Cache[int, int64] // a row under its number; its clears are of single keys, of all, or of its tag
	pair  *txcache.Cache[int, int64] // the sum of two rows that are beside each other; it is cleared whole
	warm  *txcache.Cache[int, int64] // as row, but cleared whole, and warm
	moved *txcache.Cache[int, int64] // a row under its number, whose tag is of its value; writers clear that of the old one
}

func tagOf(row int) string { return fmt.Sprint("tag ", row%2) }

func tagOfValue(v int64) string { return fmt.Sprint("value ", v%5) }

// A keeper is an Enlister that also keeps encoded values, for all servers.
type keeper struct {
	*enlistertest.Backend
	values *storetest.Values
}

func (k keeper) Get(ctx context.Context, keys []backend.Key) ([][]byte, error) {
	return k.values.Get(ctx, keys)
}

func (k keeper) Set(ctx context.Context, values []backend.Value) error {
	return k.values.Set(ctx, values)
}

// newServer returns a server; values are those of all servers, nil for none.
func newServer(t *testing.T, db *enlistertest.DB, size int, values *storetest.Values) *server {
	var b backend.Backend = db.Backend()
	if values != nil {
		b = keeper{db.Backend(), values}
	}
	s := &server{store: storetest.NewStore(t, b, txcache.Options{Size: size})}
	s.row = storetest.NewCache[int, int64](t, s.store, "row", txcache.CacheOptions{})
	s.row.TagBy(func(row int, _ int64) []string { return []string{tagOf(row)} })
	s.pair = storetest.NewCache[int, int64](t, s.store, "pair", txcache.CacheOptions{})
	s.moved = storetest.NewCache[int, int64](t, s.store, "moved", txcache.CacheOptions{})
	s.moved.TagBy(func(_ int, v int64) []string { return []string{tagOfValue(v)} })
	s.warm = storetest.NewCache[int, int64](t, s.store, "warm", txcache.CacheOptions{Warm: true})
	return s
}

// A transaction is both sides of one.
type transaction struct {
	*txcache.Tx
	server   *server
	database *enlistertest.Tx
	began    *enlistertest.Snapshot // what was committed when it began; nil for one that is exact
	readOnly bool
	early    map[int]bool // rows that it has deleted and loaded before it changed them: it finds what it loaded
}

// A history is a run of random steps.
type history struct {
	t       *testing.T
	random  *rand.Rand
	db      *enlistertest.DB
	servers []*server
	open    []*transaction
	old     []*enlistertest.Snapshot
	last    int64 // value that was written
	hits    map[bool]int
	newer   int
}

func (h *history) begin() {
	x := &transaction{server: h.servers[h.random.IntN(len(h.servers))], readOnly: h.random.IntN(3) > 0, early: map[int]bool{}}
	switch n := h.random.IntN(6); {
	case n == 0 && len(h.old) > 0: // on a replica
		x.readOnly = true
		x.database = h.db.BeginAt(h.old[h.random.IntN(len(h.old))])
	case n < 4:
		x.database = h.db.Begin(true)
	default:
		x.database, x.began = h.db.Begin(false), h.db.Snapshot()
	}
	tx, err := x.server.store.Enlist(h.t.Context(), "db", x.database, &txcache.EnlistOptions{ReadOnly: x.readOnly, Exact: true})
	if err != nil {
		h.t.Fatal(err)
	}
	x.Tx = tx
	h.open = append(h.open, x)
}

func (h *history) read(x *transaction) {
	caches := []*txcache.Cache[int, int64]{x.server.row, x.server.pair, x.server.warm, x.server.moved}
	h.load(x, caches[h.random.IntN(len(caches))], h.random.IntN(rows))
}

// load loads a value, and compares what was not loaded but hit with the rows.
func (h *history) load(x *transaction, c *txcache.Cache[int, int64], row int) {
	get := func(at *enlistertest.Tx, row int) int64 {
		v, err := at.Get(fmt.Sprint(row))
		if err != nil {
			h.t.Fatal(err)
		}
		return v
	}
	is := func(at *enlistertest.Tx) int64 {
		if c == x.server.pair {
			return get(at, row) + get(at, (row+1)%rows)
		}
		return get(at, row)
	}
	hit := true
	load := func(context.Context) (int64, error) {
		hit = false
		return is(x.database), nil
	}
	v, err := c.Load(h.t.Context(), x.Tx, row, load)
	switch {
	case err != nil:
		h.t.Fatal(err)
	case !hit, c == x.server.row && x.early[row]:
	case x.began == nil:
		h.hits[true]++
		if want := is(x.database); v != want {
			h.t.Errorf("%s %d is %d by the cache, and %d by the transaction's own snapshot", c.Name(), row, v, want)
		}
	default:
		h.hits[false]++
		least := h.db.BeginAt(x.began)
		defer least.Rollback()
		if was := is(least); v < was {
			h.t.Errorf("%s %d is %d by the cache, and was %d when the transaction began", c.Name(), row, v, was)
		} else if v > was {
			h.newer++
		}
	}
}

// write changes a row, and clears what shows it: after that, as warm caches need it, or
// before where only the key is deleted.
func (h *history) write(x *transaction) {
	row := h.random.IntN(rows)
	if x.readOnly {
		return
	}
	old, err := x.database.Get(fmt.Sprint(row))
	if err != nil {
		h.t.Fatal(err)
	}
	clear := func() {
		err := x.ClearTags(tagOfValue(old))
		if h.random.IntN(4) == 0 {
			err = x.server.moved.Delete(x.Tx, row)
		}
		if err != nil {
			h.t.Fatal(err)
		}
		switch h.random.IntN(8) {
		case 0:
			err = x.ClearAll()
		case 1:
			err = x.server.row.Clear(x.Tx)
		case 2:
			err = x.ClearTags(tagOf(row))
		default:
			err = x.server.row.Delete(x.Tx, row)
		}
		if err = errors.Join(err, x.server.pair.Clear(x.Tx), x.server.warm.Clear(x.Tx)); err != nil {
			h.t.Fatal(err)
		}
	}
	before := h.random.IntN(4) == 0
	if before { // what it loads then is the row as it was
		if err := x.server.row.Delete(x.Tx, row); err != nil {
			h.t.Fatal(err)
		}
		h.load(x, x.server.row, row)
		x.early[row] = true
	}
	h.last++
	err = x.database.Put(fmt.Sprint(row), h.last)
	switch {
	case err != nil && !errors.Is(err, enlistertest.ErrConflict):
		h.t.Fatal(err)
	case before:
		if err := errors.Join(x.server.pair.Clear(x.Tx), x.server.warm.Clear(x.Tx), x.server.moved.Delete(x.Tx, row)); err != nil {
			h.t.Fatal(err)
		}
	case err == nil && h.random.IntN(2) == 0:
		clear()
		x.server.row.Set(x.Tx, row, h.last)
		x.server.warm.Set(x.Tx, row, h.last)
		x.server.moved.Set(x.Tx, row, h.last)
	default:
		clear()
	}
}

func (h *history) end(i int) {
	x := h.open[i]
	h.open = slices.Delete(h.open, i, i+1)
	if h.random.IntN(4) == 0 {
		if err := errors.Join(x.database.Rollback(), x.Rollback()); err != nil {
			h.t.Fatal(err)
		}
		return
	}
	if err := x.CommitWith(h.t.Context(), func(context.Context) error { return x.database.Commit() }); err != nil {
		h.t.Fatal(err)
	}
}

func (h *history) step() {
	switch n := h.random.IntN(40); {
	case len(h.open) == 0 || n < 6 && len(h.open) < 12:
		h.begin()
	case n < 26:
		h.read(h.open[h.random.IntN(len(h.open))])
	case n < 30:
		h.write(h.open[h.random.IntN(len(h.open))])
	case n < 37:
		h.end(h.random.IntN(len(h.open)))
	case n == 37:
		h.db.Fold("db")
	case n == 38 && h.random.IntN(4) == 0:
		h.db.Forget("db")
	default:
		if h.old = append(h.old, h.db.Snapshot()); len(h.old) > 3 {
			h.old = h.old[1:]
		}
	}
}

// Each hit of an exact transaction is what its own snapshot would load, and each hit of
// another is at least what was committed when it began.
func TestHitsAreOfTheTransactionsOwnMoment(t *testing.T) {
	seed := storetest.Seed(t)
	t.Logf("TXCACHE_SEED=%d", seed)
	hits, newer, remote, moved := map[bool]int{}, 0, uint64(0), uint64(0)
	for run := range uint64(40) {
		h := &history{t: t, random: rand.New(rand.NewPCG(seed, run)), db: enlistertest.New(), hits: hits}
		size := []int{0, 4}[run%2]
		var values *storetest.Values
		if run%4 > 1 {
			values = storetest.NewValues()
		}
		h.servers = []*server{newServer(t, h.db, size, values), newServer(t, h.db, size, values)}
		for range 3000 {
			h.step()
		}
		for len(h.open) > 0 {
			h.end(0)
		}
		newer += h.newer
		for _, s := range h.servers {
			remote += s.row.Stats().RemoteHits
			moved += s.moved.Stats().Hits
		}
		if t.Failed() {
			t.Fatalf("in run %d", run)
		}
	}
	t.Logf("%d hits of exact transactions, %d of others, %d of these newer; %d of rows were shared by the servers, %d of values with tags of their own", hits[true], hits[false], newer, remote, moved)
	if hits[true] < 1000 || hits[false] < 1000 || remote < 100 {
		t.Error("too few hits to show anything")
	}
}
