package processes

import (
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/seed-dad15c92/txcache/internal/history"
	"github.com/seed-dad15c92/txcache/internal/postgrestest"
	"github.com/seed-dad15c92/txcache/internal/redistest"
)

func TestMain(m *testing.M) {
	if code, ok := Work(os.Stdout); ok {
		os.Exit(code)
	}
	os.Exit(m.Run())
}

// number returns what a variable of the environment says, or otherwise.
func number(t *testing.T, name string, otherwise uint64) uint64 {
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("%s is %q, want a number", name, text)
	}
	return n
}

// factor is by how much longer than usual histories are played.
func factor(t *testing.T) int { return max(1, int(number(t, "TXCACHE_HISTORY", 1))) }

// A run is a subtest.
type run struct {
	*testing.T
	*Crew
	plan   Plan
	random *rand.Rand // what befalls the workers
}

// seldom is a share of writers so small that most fences are resolved before
// somebody else clears the same caches.
const seldom = 20

// rarely is a share of slow commits that leaves time for others.
const rarely = 40

// lease is long enough for a machine that is busy, and short enough to be
// waited for.
const lease = 1200 * time.Millisecond

// play plays a history of a plan for as long as act takes, and until it tells something.
func play(t *testing.T, s Servers, p Plan, act func(*run)) *run {
	t.Helper()
	p.Seed = number(t, "TXCACHE_SEED", rand.Uint64())
	p.Lease, p.Actors = lease, 4
	if p.Scheme == "" {
		p.Scheme = Subject
	}
	if p.Readers == 0 {
		p.Readers = 3
	}
	if p.Sync == "" {
		p.Sync = "begin"
	}
	if p.Sync == "lease" && p.Term == 0 {
		p.Term = 50 * time.Millisecond
	}
	r := &run{t, StartCrew(t, s, p), p, rand.New(rand.NewPCG(p.Seed, 0xfa))}
	act(r)
	await(5*patience, func() bool { return r.tells() || r.Failed() || len(r.Reports()) > 0 })
	r.Stop()
	t.Logf("TXCACHE_SEED=%d: %v", p.Seed, r.Totals())
	return r
}

// tells reports whether there was enough of everything to tell something.
func (r *run) tells() bool {
	total := r.Totals()
	return total.Hits >= 5000 && total.Commits >= 5 && total.Deletes >= 5 && total.Tags >= 5
}

// upright fails the test if there was a violation, or too little to tell.
func (r *run) upright() {
	r.Helper()
	for i, report := range r.Reports() {
		if i == 3 {
			r.Errorf("and %d more reports", len(r.Reports())-3)
			break
		}
		r.Error(report)
	}
	total := r.Totals()
	if total.Violations > 0 {
		r.Errorf("%d violations; to make the same choices again: TXCACHE_SEED=%d", total.Violations, r.plan.Seed)
	}
	if !r.tells() {
		r.Errorf("%d hits, %d commits, %d deletes, %d tags cleared: that is too little to tell anything", total.Hits, total.Commits, total.Deletes, total.Tags)
	}
}

func (r *run) recovers(after string) {
	r.Helper()
	if !r.Recovers() {
		r.Errorf("after %s, not every database has hits again", after)
	}
}

func start(t *testing.T) Servers {
	return Servers{Postgres: postgrestest.Start(t), Redis: redistest.Start(t)}
}

// P1 to P4 and P7 between processes, over a database with real snapshots.
func TestNoHistoryOfProcessesViolatesAPromise(t *testing.T) {
	s := start(t)
	const unproven = 2 * time.Second // announcements that are not proven to arrive are relied on for that long
	const poll = 50 * time.Millisecond
	for _, p := range []Plan{
		{Sync: "begin", Slow: rarely},
		{Sync: "lease", Slow: rarely},
		{Sync: "channel", Late: unproven},
		{Sync: poll.String(), Late: poll},
	} {
		t.Run(p.Sync, func(t *testing.T) {
			play(t, s, p, func(r *run) { time.Sleep(5 * time.Second * time.Duration(factor(t))) }).upright()
		})
	}
}

// P5, scenario 7: processes are killed at every step of a commit, and of a drop.
func TestProcessesKilledAtEveryStep(t *testing.T) {
	play(t, start(t), Plan{Slow: rarely, Readers: seldom}, func(r *run) { r.killAtEveryStep(3 * factor(t)) }).upright()
}

// killAtEveryStep kills so many processes at each point, one after the other.
func (r *run) killAtEveryStep(rounds int) {
	for range rounds {
		for _, p := range shuffled(r.random, r.plan.comesTo) {
			r.tries(func() bool { return r.Kill(p) })
			time.Sleep(time.Duration(r.random.IntN(300)) * time.Millisecond)
		}
		r.recovers("processes were killed")
	}
	var counts []string
	for p := range lastPoint {
		counts = append(counts, strconv.FormatUint(r.Deaths(p), 10)+" "+p.String())
		if r.plan.comesTo(p) && int(r.Deaths(p)) < (rounds+1)/2 {
			r.Errorf("%d processes were killed %v", r.Deaths(p), p)
		}
	}
	r.Logf("killed: %s", strings.Join(counts, ", "))
}

// tries tries what needs somebody to come by until it has been done.
func (r *run) tries(do func() bool) {
	for range 10 {
		if do() {
			return
		}
	}
}

// Scenario 9: processes are stopped beyond the lease, and resumed. Between the
// fence and the database's commit they are stopped for less than that, as
// promises have their limit there; see TestProcessFrozenInsideACommit.
func TestProcessesStoppedBeyondTheLease(t *testing.T) {
	play(t, start(t), Plan{Slow: rarely, Readers: seldom}, func(r *run) { r.stopAtEveryStep(factor(t)) }).upright()
}

// stopAtEveryStep stops so many processes at each point, one after the other.
func (r *run) stopAtEveryStep(rounds int) {
	for range rounds {
		for _, p := range shuffled(r.random, r.plan.comesTo) {
			d := lease * 5 / 4
			if p.inWindow() {
				d = lease / 4
			}
			r.tries(func() bool { return r.Freeze(p, d) })
		}
		r.recovers("processes were stopped")
	}
	for p := range lastPoint {
		if r.plan.comesTo(p) && r.Stops(p) == 0 {
			r.Errorf("no process was stopped %v", p)
		}
	}
}

// The limit: a process that is frozen between its fence and its database's
// commit for longer than the lease leaves a window until its clear arrives. Then
// nothing is stale any more.
func TestProcessFrozenInsideACommit(t *testing.T) {
	s := start(t)
	play(t, s, Plan{Slow: rarely, Readers: seldom}, func(r *run) {
		if !r.Freeze(BeforeCommit, lease*2) {
			t.Fatal("nobody commits")
		}
		time.Sleep(lease) // the clear arrives, and those end who began before
		window := r.Totals()
		for _, report := range r.Reports() {
			if !strings.HasPrefix(report, string(history.Stale)) {
				t.Error(report)
			}
		}
		time.Sleep(2 * time.Second)
		after := r.Totals()
		t.Logf("%d violations within the window, %d after it, in %d hits", window.Violations, after.Violations-window.Violations, after.Hits-window.Hits)
		if after.Violations != window.Violations {
			t.Errorf("what was stale within the window has stayed: %s", strings.Join(r.Reports(), "\n"))
		}
	})
}

// P6 and P8: what befalls Redis costs hits, or has a commit refused, and no more.
func TestNoFaultOfRedisMakesProcessesViolateAPromise(t *testing.T) {
	s := start(t)
	play(t, s, Plan{Faults: true}, func(r *run) {
		time.Sleep(time.Second)
		faults := redisFaults(s.Redis, lease)
		for range factor(t) {
			for _, i := range r.random.Perm(len(faults)) {
				r.Befall(faults[i].Unfences, func() { faults[i].Befall(t.Context()) })
				r.recovers(faults[i].Name)
			}
		}
	}).upright()
}

// Scenario 6: the database ends connections at any moment.
func TestNoTerminatedConnectionViolatesAPromise(t *testing.T) {
	s := start(t)
	play(t, s, Plan{Terminations: true}, func(r *run) {
		for end := time.Now().Add(5 * time.Second * time.Duration(factor(t))); time.Now().Before(end); time.Sleep(time.Duration(r.random.IntN(60)) * time.Millisecond) {
			if err := r.Terminate(t.Context(), 1+r.random.IntN(2)); err != nil {
				t.Fatal(err)
			}
		}
		r.recovers("connections were ended")
	}).upright()
}

// A check that finds nothing in wrong caches proves nothing about right ones.
func TestWrongCachesOfProcessesAreCaught(t *testing.T) {
	s := start(t)
	for scheme, slow := range map[string]int{CacheAside: 0, NoFence: rarely, NoKeyFence: rarely, NoRenewal: 1} {
		t.Run(scheme, func(t *testing.T) {
			r := play(t, s, Plan{Scheme: scheme, Slow: slow}, func(r *run) {
				await(patience, func() bool { return r.Totals().Violations > 0 && r.Totals().Hits > 50_000 })
			})
			wantStale(t, r)
		})
	}
}

// wantStale fails the test unless a run has found stale hits.
func wantStale(t *testing.T, r *run) {
	t.Helper()
	stale := slices.ContainsFunc(r.Reports(), func(report string) bool { return strings.HasPrefix(report, string(history.Stale)) })
	total := r.Totals()
	t.Logf("%d violations in a million hits", total.Violations*1e6/max(1, total.Hits))
	if !stale {
		t.Errorf("no stale hit in %v", total)
	}
}
