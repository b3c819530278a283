package history_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-dad15c92/txcache/internal/history"
	"github.com/seed-dad15c92/txcache/internal/history/baseline"
	"github.com/seed-dad15c92/txcache/internal/history/subject"
)

// A checker that finds nothing in wrong caches proves nothing about right ones.
func TestWrongCachesAreCaught(t *testing.T) {
	const many = 300_000 // steps: what is wrong is seldom met
	for _, wrong := range []struct {
		baseline.Scheme
		by    []history.Rule // at least
		steps int            // 20 000
	}{
		{baseline.CacheAside, []history.Rule{history.Stale}, 0},
		{baseline.DeleteFirst, []history.Rule{history.Stale}, 0},
		{baseline.LowerBound, []history.Rule{history.Stale}, 0},
		{baseline.DoubleDelete, []history.Rule{history.Stale}, 0},
		{baseline.VersionedKeys, []history.Rule{history.Stale}, 0},
		{baseline.NoFence, []history.Rule{history.Stale}, many},
		{baseline.NewestFill, []history.Rule{history.Stale}, 0},
		{baseline.NoFloor, []history.Rule{history.Stale}, many},
		{baseline.Unchecked, []history.Rule{history.Stale}, many},
		{baseline.Versioned, []history.Rule{history.Stale}, 0},
		{baseline.VersionedLost, []history.Rule{history.Stale, history.Dropped}, 0},
		{baseline.HighestID, []history.Rule{history.Exact}, many},
		{baseline.NewestState, []history.Rule{history.Exact}, 0},
		{baseline.OneClass, []history.Rule{history.Exact}, 0},
		{baseline.LooseFill, []history.Rule{history.Exact}, 0},
		{baseline.NoEpoch, []history.Rule{history.Exact}, 0},
		{baseline.WriteThrough, []history.Rule{history.Uncommitted, history.RolledBack, history.Own}, 0},
		{baseline.NoSavepoints, []history.Rule{history.RolledBack}, 0},
		{baseline.NoCuts, []history.Rule{history.Own}, 0},
		{baseline.NoDrop, []history.Rule{history.Dropped}, 0},
		{baseline.NoEnd, []history.Rule{history.Ended}, 0},
		{baseline.StringKeys, []history.Rule{history.Island}, 0},
		{baseline.NoDatabase, []history.Rule{history.Island}, 0},
		{baseline.NoUser, []history.Rule{history.Island}, 0},
	} {
		t.Run(wrong.Name, func(t *testing.T) {
			if testing.Short() && wrong.steps > 0 {
				t.Skip("what is wrong is seldom met, so its histories are long; without -short it runs")
			}
			t.Parallel()
			check := func(seed uint64) history.Report {
				t.Helper()
				open, faults := wrong.Faulty()
				world := history.World{}
				if wrong.Enlisted {
					world = history.CrowdedWorld()
				}
				world.Faults = faults
				report, err := history.Check(t.Context(), open, history.Options{Seed: seed, Steps: max(20_000, wrong.steps), World: world, Count: true})
				if err != nil {
					t.Fatal(err)
				}
				t.Logf("seed %d: %v, %v", seed, report, report.Violations)
				return report
			}
			report := check(1)
			for _, rule := range wrong.by {
				if report.Violations[rule] == 0 {
					t.Errorf("seed 1: no violation of %q in %v", rule, report)
				}
			}
			if testing.Short() {
				return
			}
			// What is seldom met is not in every seed's histories.
			for range 20 {
				report = check(rand.Uint64())
				if slices.ContainsFunc(wrong.by, func(rule history.Rule) bool { return report.Violations[rule] > 0 }) {
					return
				}
			}
			t.Error("no violation in the histories of 20 random seeds")
		})
	}
}

func TestAFailureTellsAShortStoryAndReplaysFromItsSeed(t *testing.T) {
	ctx := t.Context()
	for _, wrong := range []baseline.Scheme{baseline.CacheAside, baseline.VersionedLost} {
		t.Run(wrong.Name, func(t *testing.T) {
			open, faults := wrong.Faulty()
			o := history.Options{Seed: 7, World: history.World{Faults: faults}}
			_, err := history.Check(ctx, open, o)
			f := short(t, err)
			o.Seed, o.Steps = f.Seed, 1
			_, again := history.Check(ctx, open, o)
			if again == nil || again.Error() != err.Error() {
				t.Errorf("seed %d again:\n%v\nwant\n%v", f.Seed, again, err)
			}
		})
	}
}

// What only goroutines that race find is told as well, if not always as shortly.
func TestAFailureOfARaceIsTold(t *testing.T) {
	for name, open := range map[string]history.Open{
		"that is wrong in any order": baseline.CacheAside.Open,
		"that is wrong at random":    moody(baseline.CacheAside.Open),
	} {
		t.Run(name, func(t *testing.T) {
			// What went wrong once may go well whenever it is played again, if seldom in any order.
			for tries := 10; ; tries-- {
				o := history.Options{Seed: rand.Uint64(), Steps: 100_000, Driver: history.Race, Patience: time.Second}
				_, err := history.Check(t.Context(), open, o)
				var f *history.Failure
				if !errors.As(err, &f) {
					t.Fatalf("Check of a wrong cache: %v", err)
				}
				untold := strings.Contains(err.Error(), "it cannot be told")
				if strings.HasSuffix(name, "at random") && untold || strings.Contains(err.Error(), "VIOLATES") {
					t.Logf("a story of %d steps", f.Steps)
					return
				}
				if !untold || tries == 1 {
					t.Fatalf("the failure is not told: %v", err)
				}
			}
		})
	}
}

// short returns the failure that err is. It fails the test if the story is not
// short.
func short(t *testing.T, err error) *history.Failure {
	t.Helper()
	var f *history.Failure
	if !errors.As(err, &f) {
		t.Fatalf("Check of a wrong cache: %v", err)
	}
	t.Log(f)
	if f.Steps > 20 || len(f.Story) > 40 {
		t.Errorf("a story of %d steps and %d lines is not short", f.Steps, len(f.Story))
	}
	if last := f.Story[len(f.Story)-1]; !strings.Contains(err.Error(), last) {
		t.Errorf("the error does not tell the story: %v", err)
	}
	return f
}

// moody opens servers that are as wrong as those that open opens every other
// time, and cache nothing the other times.
func moody(open history.Open) history.Open {
	n := 0
	return func(ctx context.Context, servers int, caches []history.CacheSpec) ([]history.Server, error) {
		if n++; n%2 == 0 {
			return never(ctx, servers, caches)
		}
		return open(ctx, servers, caches)
	}
}

func TestASeedIsOneHistory(t *testing.T) {
	play := func(open history.Open, seed uint64) *history.Outcomes {
		t.Helper()
		h := history.Generate(seed, history.World{}, 2000)
		out, err := history.Interleave(t.Context(), open, h, true)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	first, again := play(baseline.CacheAside.Open, 3), play(baseline.CacheAside.Open, 3)
	if !reflect.DeepEqual(first.Story, again.Story) {
		t.Error("the same seed gave two stories")
	}
	if other := play(baseline.CacheAside.Open, 4); reflect.DeepEqual(first.Story, other.Story) {
		t.Error("two seeds gave the same story")
	}
}

// Whatever a goroutine of a transaction can do, any of those that share one
// does, in both drivers, and one that loads is paused while others go on.
func TestGoroutinesShareTransactions(t *testing.T) {
	h := history.Generate(1, history.World{}, 20_000)
	did := map[history.Action]bool{}
	paused := 0
	for i, s := range h.Steps {
		if s.Goroutine == 0 {
			continue
		}
		did[s.Do] = true
		if s.Do == history.Load && i+1 < len(h.Steps) && h.Steps[i+1].Tx == s.Tx && h.Steps[i+1].Goroutine != s.Goroutine {
			paused++
		}
	}
	for do := history.Continue; do <= history.Rollback; do++ {
		if do != history.Begin && !did[do] {
			t.Errorf("only the first goroutine does action %d", do)
		}
	}
	if paused == 0 {
		t.Error("nothing of a transaction comes in while one of its goroutines loads")
	}
	for name, drive := range map[string]history.Driver{"interleave": history.Interleave, "race": history.Race} {
		out, err := drive(t.Context(), subject.Memory(), h, true)
		if err != nil || len(out.Violations) > 0 {
			t.Fatalf("%s: %v, %v", name, out, err)
		}
		if all := strings.Join(out.Story, "\n"); !strings.Contains(all, ".1 loads") || !strings.Contains(all, ".1 has committed") || !strings.Contains(all, ".1 undoes") {
			t.Errorf("%s: the second goroutine of no transaction loads, commits or undoes a savepoint", name)
		}
	}
	alone := history.Generate(1, history.World{Goroutines: 1}, 20_000)
	if slices.ContainsFunc(alone.Steps, func(s history.Step) bool { return s.Goroutine > 0 || s.Shared }) {
		t.Error("goroutines share a transaction in a world that has one for each")
	}
}

// Both drivers count what they checked; that nothing was found on txcache is
// what its own tests look at in more histories.
func TestDriversCheckHits(t *testing.T) {
	for name, drive := range map[string]history.Driver{"interleave": history.Interleave, "race": history.Race} {
		t.Run(name, func(t *testing.T) {
			report, err := history.Check(t.Context(), subject.Memory(), history.Options{Seed: rand.Uint64(), Steps: 5000, Driver: drive})
			if err != nil {
				t.Fatal(err)
			}
			if report.Hits == 0 || report.Steps < 5000 {
				t.Errorf("%v", report)
			}
		})
	}
}

// Check plays on until enough has come up, but not for ever.
func TestCheckPlaysOnUntilItIsEnough(t *testing.T) {
	const oneHistory = 2000 // has fewer steps
	for enough, least := range map[int]int{0: 1000, 3500: 3500, 1 << 30: 10_000} {
		o := history.Options{Seed: 1, Steps: 1000, Enough: func(r history.Report) bool { return r.Steps >= enough }}
		report, err := history.Check(t.Context(), subject.Memory(), o)
		if err != nil || report.Steps < least || report.Steps >= least+oneHistory {
			t.Errorf("where %d steps are enough it played %d, %v; want %d and no history more", enough, report.Steps, err, least)
		}
	}
}

// The rules of deletes that some schemes leave out are all that is wrong with them, in
// histories that are the same each time. One of a hundred others shows what the
// baseline does not do, and nobody asks of it: it publishes what a transaction has loaded
// after a delete of its own, and does not keep a load beside a delete of another key.
func TestNumbersDoNotViolateAPromise(t *testing.T) {
	right := baseline.Scheme{Numbered: true, Deferred: true, Unwinding: true}
	const seed = 1
	report, err := history.Check(t.Context(), right.Open, history.Options{Seed: seed, Steps: 50_000})
	if err != nil || report.Hits == 0 {
		t.Errorf("seed %d: %v, %v", seed, report, err)
	}
}

// So it is with the rules of those that keep generations in the database. What that baseline
// does not do concerns what a transaction has set itself: each hit is of its own moment, in
// any history.
func TestSumsDoNotViolateAPromise(t *testing.T) {
	right := baseline.Scheme{Enlisted: true, Deferred: true, Unwinding: true}
	open, faults := right.Faulty()
	const seed = 1
	report, err := history.Check(t.Context(), open, history.Options{Seed: seed, Steps: 50_000, World: history.World{Faults: faults, Behind: 10}})
	if err != nil || report.Exact == 0 || report.Exact == report.Hits {
		t.Errorf("seed %d: %v, %v", seed, report, err)
	}
	for name, drive := range map[string]history.Driver{"interleave": history.Interleave, "race": history.Race} {
		options := history.Options{Seed: rand.Uint64(), Steps: 50_000, World: history.CrowdedWorld(), Driver: drive, Count: true}
		options.World.Faults = faults
		report, err := history.Check(t.Context(), open, options)
		if err != nil || report.Exact == 0 || report.Violations[history.Exact]+report.Violations[history.Stale] > 0 {
			t.Errorf("%s, seed %d: %v, %v, %v", name, options.Seed, report, report.Violations, err)
		}
	}
}

// P11: a delete that takes other keys away is a miss that is not allowed.
func TestADeleteOfTooMuchIsCaught(t *testing.T) {
	options := history.Options{Seed: rand.Uint64(), Steps: 20_000, World: history.World{Kept: true},
		Enough: func(r history.Report) bool { return r.Demanded > 0 }}
	report, err := history.Check(t.Context(), subject.Memory(), options)
	if err != nil || report.Demanded == 0 {
		t.Errorf("seed %d: %v, %v", options.Seed, report, err)
	}
	coarse := func(ctx context.Context, n int, caches []history.CacheSpec) ([]history.Server, error) {
		servers, err := subject.Memory()(ctx, n, caches)
		for i, s := range servers {
			servers[i] = coarseServer{s}
		}
		return servers, err
	}
	options.Count, options.Steps = true, 300_000
	options.Enough = func(r history.Report) bool { return r.Violations[history.Missing] > 0 }
	report, err = history.Check(t.Context(), coarse, options)
	delete(report.Violations, history.Own) // what the transaction itself has set goes too
	if err != nil || report.Violations[history.Missing] == 0 || len(report.Violations) > 1 {
		t.Errorf("seed %d: %v, %v, %v; want violations of %q", options.Seed, report, report.Violations, err, history.Missing)
	}
}

// A coarseServer clears the cache where a key is deleted.
type coarseServer struct{ history.Server }

func (s coarseServer) Begin(ctx context.Context, database string, readOnly bool) (history.Tx, error) {
	t, err := s.Server.Begin(ctx, database, readOnly)
	return coarseTx{t}, err
}

type coarseTx struct{ history.Tx }

func (t coarseTx) As(w history.Who) history.Tx         { return coarseTx{t.Tx.As(w)} }
func (t coarseTx) Delete(cache int, _ ...string) error { return t.Clear(cache) }
func (t coarseTx) Savepoint(fn func(history.Tx) error) error {
	return t.Tx.Savepoint(func(tx history.Tx) error { return fn(coarseTx{tx}) })
}
