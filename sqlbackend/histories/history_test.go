package histories_test

import (
	"context"
	"database/sql"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-dad15c92/txcache/internal/storetest"
	"github.com/seed-dad15c92/txcache/sqlbackend"
)

// A history is a run of readers and writers over one database.
type history struct {
	t       *testing.T
	ctx     context.Context
	seed    uint64
	servers []*server // that write; readers use those of standbys too
	replica []*server
	shaky   bool          // the database may be away, so every error is expected
	foreign bool          // others write too, or commits get lost: nobody knows all values
	rest    time.Duration // between two transactions of a writer, at most

	goals []func() (missing string) // what it must show; "": it has

	stop      atomic.Bool
	outages   atomic.Int64 // grows before the database crashes, and after
	part      uint64       // how often it was started
	baselines *baselines   // nil: there are none
	redis     *redis       // that keeps values too; nil: there is none
	counts
	values
}

// counts are what a history has done and seen.
type counts struct {
	exact, onStandby, loose    tally
	begun, commits, undone     atomic.Int64
	refused, failed            atomic.Int64
	folds, drops, lost, forgot atomic.Int64
}

// A tally is how many hits there were, and how many of them were older, and newer, than what they
// were compared with.
type tally struct{ hits, stale, newer atomic.Int64 }

// values are those that were committed, and those that hits have shown.
type values struct {
	mu              sync.Mutex
	committed, seen map[stored]bool
}

// A stored is a value of a row.
type stored struct {
	row int
	v   int64
}

func newHistory(t *testing.T, servers ...*server) *history {
	t.Helper()
	h := &history{t: t, ctx: t.Context(), seed: storetest.Seed(t)}
	h.goals = append(h.goals, h.fewHits)
	h.committed, h.seen = map[stored]bool{}, map[stored]bool{}
	for _, s := range servers {
		if s.standby {
			h.replica = append(h.replica, s)
		} else {
			h.servers = append(h.servers, s)
		}
	}
	now, err := read(h.ctx, servers[0].db)
	if err != nil {
		t.Fatal(err)
	}
	for row, v := range now {
		h.committed[stored{row, v}] = true
	}
	t.Logf("TXCACHE_SEED=%d", h.seed)
	return h
}

// duration returns how long a history runs: as long as TXCACHE_SQLHISTORY says, or some seconds.
func duration(t *testing.T) time.Duration {
	text := os.Getenv("TXCACHE_SQLHISTORY")
	if text == "" {
		return 6 * time.Second
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatalf("TXCACHE_SQLHISTORY: %v", err)
	}
	return d
}

// A worker is a goroutine of a history.
type worker struct {
	*history
	random *rand.Rand
	seen   map[stored]bool
}

// run runs do until the history has ended, in n goroutines, which group counts.
func (h *history) run(group *sync.WaitGroup, kind uint64, n int, do func(*worker) error) {
	for i := range n {
		w := &worker{history: h, random: rand.New(rand.NewPCG(h.seed, h.part<<48+kind<<32+uint64(i))), seen: map[stored]bool{}}
		group.Go(func() {
			for !h.stop.Load() && !h.t.Failed() {
				w.expect(do(w))
			}
			h.mu.Lock()
			defer h.mu.Unlock()
			for s := range w.seen {
				h.values.seen[s] = true
			}
		})
	}
}

// expect fails the test with an error that nobody expects.
func (h *history) expect(err error) {
	switch {
	case err == nil:
	case refused(err):
		h.refused.Add(1)
	case h.shaky:
		h.failed.Add(1)
		time.Sleep(time.Millisecond)
	default:
		h.t.Error(err)
	}
}

// start starts readers, writers, and what folds, drops, loses and forgets clears. The
// caller calls the function that ends it.
func (h *history) start(readers, writers int) (end func()) {
	h.part++ // or values of a time line that was lost came back
	var group sync.WaitGroup
	h.run(&group, 1, readers, (*worker).read)
	h.run(&group, 2, writers, (*worker).write)
	h.run(&group, 3, 1, (*worker).fold)
	h.run(&group, 4, 1, (*worker).disturb)
	if h.baselines != nil {
		h.baselines.start(h, &group)
	}
	if h.redis != nil {
		h.run(&group, 6, 1, h.redis.disturb)
	}
	return func() {
		h.stop.Store(true)
		group.Wait()
		h.stop.Store(false)
	}
}

// pause is what happens between two steps: mostly little.
func (w *worker) pause() {
	switch n := w.random.IntN(100); {
	case n < 60:
	case n < 85:
		runtime.Gosched()
	case n < 98:
		time.Sleep(time.Duration(w.random.IntN(300)) * time.Microsecond)
	default:
		time.Sleep(time.Duration(w.random.IntN(4000)) * time.Microsecond)
	}
}

// A level is an isolation level, and whether sqltx promises one snapshot at it.
type level struct {
	isolation sql.IsolationLevel
	exact     bool
}

// level returns a random one: most are exact. At SERIALIZABLE MariaDB locks what it reads: then
// a transaction that waits for what another one loads may wait for itself.
func (w *worker) level(dialect sqlbackend.Dialect, readOnly, standby bool) level {
	n := w.random.IntN(10)
	switch {
	case dialect == sqlbackend.SQLite:
		return level{sql.LevelDefault, true}
	case n < 6:
		return level{sql.LevelRepeatableRead, true}
	case n < 7 && readOnly && dialect == sqlbackend.Postgres && !standby: // a hot standby has no such level
		return level{sql.LevelSerializable, true}
	case n < 8:
		return level{sql.LevelDefault, dialect == sqlbackend.MySQL}
	}
	return level{sql.LevelReadCommitted, false}
}

// fold folds without a pause.
func (w *worker) fold() error {
	err := w.servers[w.random.IntN(len(w.servers))].backend.Fold(w.ctx, database)
	if err == nil {
		w.folds.Add(1)
	} else if !w.shaky && !refused(err) && !fasterFold(err) {
		return err
	}
	time.Sleep(200 * time.Microsecond) // else it holds SQLite's only lock of writers all the time
	return nil
}

// disturb does now and then what is rare: it drops the database, deletes all rows of clears, or deletes
// so many keys that a fold forgets some.
func (w *worker) disturb() error {
	time.Sleep(time.Duration(w.random.IntN(200)) * time.Millisecond)
	s := w.servers[w.random.IntN(len(w.servers))]
	switch n := w.random.IntN(20); {
	case n < 4:
		w.drops.Add(1)
		return s.store.Drop(w.ctx, database)
	case n < 7:
		w.lost.Add(1)
		if err := s.backend.Prepare(w.ctx, database); err != nil { // or there may be no table yet
			return err
		}
		_, err := s.db.ExecContext(w.ctx, "DELETE FROM "+sqlbackend.DefaultTable)
		return err
	case n == 7:
		w.forgot.Add(1)
		for i := range 10 {
			if err := w.deleteMany(s, 1000+junk*i); err != nil {
				return err
			}
		}
	}
	return nil
}

// fasterFold reports whether another process has folded the same rows.
func fasterFold(err error) bool { return strings.Contains(err.Error(), "another process") }

// sane checks what must be so at the end of each history.
func (h *history) sane() {
	h.t.Helper()
	report := func(name string, n *tally) {
		if n.hits.Load() > 0 {
			h.t.Logf("%-22s %8d hits, %d stale, %d newer", name, n.hits.Load(), n.stale.Load(), n.newer.Load())
		}
	}
	if h.baselines != nil {
		for _, b := range h.baselines.all() {
			report(b.name, &b.tally)
		}
	}
	report("exact", &h.exact)
	report("exact on a standby", &h.onStandby)
	report("read committed", &h.loose)
	h.t.Logf("%d transactions, %d commits of writers, %d rollbacks, %d refused, %d failed, %d folds, %d drops, %d times all clears deleted, %d times some forgotten",
		h.begun.Load(), h.commits.Load(), h.undone.Load(), h.refused.Load(), h.failed.Load(), h.folds.Load(), h.drops.Load(), h.lost.Load(), h.forgot.Load())
	if h.redis != nil {
		hits, failed, bad := h.remote()
		h.t.Logf("%d hits from Redis, %d calls of it failed, %d bad payloads; it was flushed %d times, killed %d, paused %d, its values spoilt %d",
			hits, failed, bad, h.redis.flushed, h.redis.killed, h.redis.paused, h.redis.spoilt)
	}
	if missing := h.missing(); missing != "" && !h.t.Failed() {
		h.t.Error(missing)
	}
	for _, s := range append(h.servers, h.replica...) {
		status := s.store.Status()
		if status.InDoubt != 0 || status.Fences != 0 || status.Waiting != 0 {
			h.t.Errorf("%s: %d commits in doubt, %d fences, %d clears that wait; want none", s.name, status.InDoubt, status.Fences, status.Waiting)
		}
	}
	if h.foreign {
		return
	}
	for s := range h.values.seen {
		if !h.committed[s] {
			h.t.Errorf("a hit has shown %d in row %d, which was never committed", s.v, s.row)
		}
	}
}
