package processes

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-dad15c92/txcache/internal/redistest"
)

// For so long processes use a state without asking: for less than most transactions take, and
// for much longer than any takes.
const (
	shortTerm = 5 * time.Millisecond
	longTerm  = 200 * time.Millisecond
)

// termPlan is one of processes that have a term whenever they can.
func termPlan(term time.Duration) Plan {
	return Plan{Sync: "lease", Term: term, Databases: 2, Quick: true, Slow: 1000, Readers: 15}
}

// eachTerm runs test with the usual term, and in a longer run with the other one, too.
func eachTerm(t *testing.T, usual time.Duration, test func(t *testing.T, term time.Duration)) {
	for _, term := range []time.Duration{shortTerm, longTerm} {
		if term == usual || factor(t) > 1 {
			t.Run(term.String(), func(t *testing.T) { test(t, term) })
		}
	}
}

// withTerms plays histories with terms.
func withTerms(t *testing.T, usual time.Duration, act func(*run)) {
	s := start(t)
	eachTerm(t, usual, func(t *testing.T, term time.Duration) { playTerms(t, s, termPlan(term), act) })
}

// Hits of all histories with terms so far, those in transactions that began by one, and changes that
// waited for members.
var termHits, unaskedHits, termWaits atomic.Uint64

// playTerms plays a history for as long as act takes, and until there was enough of everything to
// show something of terms.
func playTerms(t *testing.T, s Servers, p Plan, act func(*run)) {
	r := play(t, s, p, func(r *run) {
		act(r)
		if !await(5*patience, func() bool {
			total := r.Totals()
			return total.TermHits > 5000 && total.Waits > 5 && total.Commits > 10 && total.Deletes > 10 && total.Tags > 10
		}) {
			t.Errorf("too little to show anything of terms")
		}
	})
	r.upright()
	total := r.Totals()
	t.Logf("so far %d hits altogether, %d of them in transactions that began without a question; %d changes waited",
		termHits.Add(total.Hits), unaskedHits.Add(total.TermHits), termWaits.Add(total.Waits))
}

// aWhile is for what is undisturbed.
func (r *run) aWhile() { time.Sleep(r.plan.Term + time.Duration(r.random.IntN(200))*time.Millisecond) }

// P3 without a question to the server.
func TestTermsOfProcesses(t *testing.T) {
	withTerms(t, shortTerm, func(r *run) { time.Sleep(3 * time.Second * time.Duration(factor(t))) })
}

// P5: members and writers are killed at every step, also while they wait, and at any moment.
func TestTermsOfProcessesThatAreKilled(t *testing.T) {
	withTerms(t, shortTerm, func(r *run) {
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
	withTerms(t, shortTerm, func(r *run) {
		for range factor(t) {
			for _, p := range shuffled(r.random, r.plan.comesTo) {
				d := 3 * r.plan.Term
				switch {
				case p == BeforeRenewal || p == AfterRenewal:
					d = min(d, lease/4)
				case r.random.IntN(4) == 0:
					d = lease * 5 / 4
				}
				r.tries(func() bool { return r.Freeze(p, d) })
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
	s := start(t)
	w := networks(t, &s)
	for _, term := range []time.Duration{shortTerm, longTerm} {
		t.Run(term.String(), func(t *testing.T) {
			p := termPlan(term)
			p.Scheme, p.Faults = NoWait, true
			r := play(t, s, p, func(r *run) {
				for r.Totals().Violations == 0 || r.Totals().Hits < 50_000 { // for as long as it takes
					for _, hear := range []redistest.Traffic{redistest.Late, redistest.Deaf, redistest.Flowing} {
						w.set(hear)
						time.Sleep(300 * time.Millisecond)
					}
				}
			})
			wantStale(t, r)
		})
	}
}
