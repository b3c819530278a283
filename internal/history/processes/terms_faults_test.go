package processes

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/seed-dad15c92/txcache/internal/history"
	"github.com/seed-dad15c92/txcache/internal/postgrestest"
	"github.com/seed-dad15c92/txcache/internal/redistest"
)

// A web is a network between each worker and Redis.
type web []*redistest.Proxy

func networks(t *testing.T, s *Servers) web {
	for i := range s.Networks {
		s.Networks[i] = redistest.NewProxy(t, s.Redis.Addr)
	}
	return s.Networks[:]
}

func (w web) set(traffic redistest.Traffic) {
	for _, n := range w {
		n.Set(traffic)
	}
}

// faults are what befalls the network of one worker, and of all.
func (w web) faults() (all []history.Fault) {
	for what, traffic := range map[string]redistest.Traffic{
		"is cut": redistest.Cut, "holds everything back": redistest.Held, "loses answers": redistest.Unanswered, "is slow": redistest.Slow,
		"loses messages": redistest.Deaf, "brings messages late": redistest.Late, "brings messages twice": redistest.Twice, "has no subscribers": redistest.Unsubscribed,
	} {
		for who, some := range map[string]web{"one": w[:1], "all": w} {
			for _, d := range []time.Duration{100 * time.Millisecond, time.Second} {
				all = append(all, history.Fault{Name: fmt.Sprintf("the network of %s %s for %v", who, what, d), Befall: func(context.Context) {
					some.set(traffic)
					time.Sleep(d)
					some.set(redistest.Flowing)
				}})
			}
		}
	}
	return all
}

// befall lets some of the faults befall the servers, all of them in a longer run. Meanwhile some
// workers may not hear, or hear late.
func (r *run) befall(faults []history.Fault, w web) {
	some := r.random.Perm(len(faults))
	if factor(r.T) == 1 {
		some = some[:min(10, len(some))]
	}
	for range factor(r.T) {
		for _, i := range some {
			hear := []redistest.Traffic{redistest.Flowing, redistest.Deaf, redistest.Late}[r.random.IntN(3)]
			w[:1+r.random.IntN(len(w))].set(hear)
			r.Befall(faults[i].Unfences, func() { faults[i].Befall(r.Context()) })
			time.Sleep(2 * r.plan.Term) // others wait for that long for a worker that does not hear
			r.aWhile()
			w.set(redistest.Flowing)
			r.recovers(faults[i].Name)
		}
	}
}

// withFaults is withTerms where Redis may be away, with a network before each worker unless
// the servers are found otherwise.
func withFaults(t *testing.T, usual time.Duration, s Servers, act func(*run, web)) {
	var w web
	if s.URI == "" {
		w = networks(t, &s)
	}
	eachTerm(t, usual, func(t *testing.T, term time.Duration) {
		p := termPlan(term)
		p.Faults = true
		playTerms(t, s, p, func(r *run) { act(r, w) })
	})
}

// P6 and P8: nothing rests on what Redis remembers, nor on the arrival of a message.
func TestTermsAmidFaultsOfRedis(t *testing.T) {
	s := start(t)
	withFaults(t, longTerm, s, func(r *run, w web) { r.befall(redisFaults(s.Redis, lease), w) })
}

func TestTermsAmidFaultsOfNetworks(t *testing.T) {
	withFaults(t, longTerm, start(t), func(r *run, w web) { r.befall(w.faults(), w) })
}

// Scenario 14: the clock of the server is set a quarter of an hour forward and back.
func TestTermsBesideAClockThatIsSet(t *testing.T) {
	s := Servers{Postgres: postgrestest.Start(t)}
	var clock *redistest.Clock
	s.Redis, clock = redistest.StartWithClock(t)
	withFaults(t, shortTerm, s, func(r *run, w web) {
		for range 2 * factor(t) {
			for _, by := range []time.Duration{15 * time.Minute, 0, -15 * time.Minute, r.plan.Term, 0} {
				w[:1+r.random.IntN(len(w))].set(redistest.Deaf)
				clock.Set(by)
				r.aWhile()
				w.set(redistest.Flowing)
				r.aWhile()
				r.recovers(fmt.Sprintf("the clock was wrong by %v", by))
			}
		}
	})
}

// A replica takes over that has missed what its master knew of members, fences and clears.
func TestTermsAcrossFailovers(t *testing.T) {
	sentinels := redistest.StartSentinels(t)
	withFaults(t, longTerm, Servers{Postgres: postgrestest.Start(t), URI: sentinels.URI()}, func(r *run, _ web) {
		for i := range factor(t) {
			if i%4 != 1 {
				sentinels.Detach()
			}
			time.Sleep(time.Second)
			r.Befall(true, sentinels.Failover)
			r.recovers("a failover")
			time.Sleep(time.Second)
		}
	})
}

// Slots with all that they hold move between the masters of a cluster, and replicas take over.
func TestTermsInACluster(t *testing.T) {
	cluster := redistest.StartCluster(t)
	withFaults(t, shortTerm, Servers{Postgres: postgrestest.Start(t), URI: cluster.URI()}, func(r *run, _ web) {
		for i := range 2 * factor(t) {
			for _, master := range cluster.Masters {
				for _, key := range master.Do("keys", r.plan.Prefix+"*:@").([]any) {
					cluster.Move(key.(string))
					r.aWhile()
				}
			}
			r.recovers("slots have moved")
			if i%3 == 1 {
				r.Befall(true, func() { cluster.Failover(r.random.IntN(len(cluster.Masters))) })
				r.recovers("a failover")
			}
			time.Sleep(500 * time.Millisecond)
		}
	})
}
