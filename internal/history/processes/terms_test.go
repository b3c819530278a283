package processes

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-dad15c92/txcache/internal/history"
	"github.com/seed-dad15c92/txcache/internal/redistest"
)

// terms are for how long processes use a state without asking: for less than most transactions take, and
// for much longer than any takes.
var terms = []time.Duration{5 * time.Millisecond, 200 * time.Millisecond}

// termPlan is one of processes that have a term whenever they can.
func termPlan(term time.Duration) Plan {
	return Plan{Sync: "lease", Term: term, Databases: 2, Quick: true, Slow: 1000, Readers: 15}
}

// withTerms plays a history for each of the terms.
func withTerms(t *testing.T, act func(*run)) {
	s := start(t)
	for _, term := range terms {
		t.Run(term.String(), func(t *testing.T) { play(t, s, termPlan(term), act).servedByTerms() })
	}
}

// a while is for what is undisturbed.
func (r *run) aWhile() { time.Sleep(r.plan.Term + time.Duration(r.random.IntN(200))*time.Millisecond) }

// Hits of all histories with terms so far, those in transactions that began by one, and changes that
// waited for members.
var termHits, unaskedHits, termWaits atomic.Uint64

// servedByTerms is upright, and fails the test if terms did not matter.
func (r *run) servedByTerms() {
	r.Helper()
	r.upright()
	total := r.Totals()
	r.Logf("so far %d hits altogether, %d of them in transactions that began without a question; %d changes waited",
		termHits.Add(total.Hits), unaskedHits.Add(total.TermHits), termWaits.Add(total.Waits))
	if total.TermHits < total.Hits/20 || total.Waits == 0 {
		r.Error("so few begins without a question, and waits, show nothing of terms")
	}
}

// P3 without a question to the server.
func TestTermsOfProcesses(t *testing.T) {
	withTerms(t, func(r *run) { time.Sleep(3 * time.Second * time.Duration(factor(t))) })
}

// P5: members and writers are killed at every step, also while they wait, and at any moment.
func TestTermsOfProcessesThatAreKilled(t *testing.T) {
	withTerms(t, func(r *run) {
		r.killAtEveryStep(factor(t))
		for range 5 * factor(t) {
			r.Strike(r.random.IntN(Workers), 0)
			r.aWhile()
		}
		r.recovers("processes were killed")
	})
}

// Members and writers are stopped at every step for longer than others wait for them, also for longer than a
// fence lasts, and for a short time at any moment. What a process commits whose fence may have ended
// meanwhile is excused until its clear has arrived.
func TestTermsOfProcessesThatAreStopped(t *testing.T) {
	withTerms(t, func(r *run) {
		for range factor(t) {
			for _, p := range shuffled(r.random, r.plan.comesTo) {
				d := 3 * r.plan.Term
				switch {
				case p == BeforeRenewal || p == AfterRenewal:
					d = min(d, lease/4)
				case r.random.IntN(4) == 0:
					d = lease * 5 / 4
				}
				r.Freeze(p, d)
			}
			for range 10 {
				r.Strike(r.random.IntN(Workers), time.Duration(r.random.Int64N(int64(lease/4))))
			}
			r.recovers("processes were stopped")
		}
	})
}

// A check that finds nothing where writers do not wait proves nothing about those that do.
func TestWritersThatDoNotWaitAreCaught(t *testing.T) {
	for name, traffic := range map[string]redistest.Traffic{"late": redistest.Late, "deaf": redistest.Deaf} {
		t.Run(name, func(t *testing.T) {
			s := start(t)
			n := networks(t, &s)
			p := termPlan(200 * time.Millisecond)
			p.Scheme = NoWait
			r := play(t, s, p, func(r *run) {
				n.set(traffic)
				await(patience, func() bool { return r.Totals().Violations > 0 && r.Totals().Hits > 50_000 })
			})
			stale := 0
			for _, report := range r.Reports() {
				if strings.HasPrefix(report, string(history.Stale)) {
					stale++
				}
			}
			total := r.Totals()
			t.Logf("%d violations in a million hits", total.Violations*1e6/max(1, total.Hits))
			if stale == 0 {
				t.Errorf("no stale hit in %v", total)
			}
		})
	}
}
