package subject

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/seed-dad15c92/txcache/internal/history"
)

// silent is the logger of stores whose loaders fail, or which suffer faults, all
// the time.
var silent = slog.New(slog.DiscardHandler)

// A patient is whom faults befall: the authority of the history being played.
type patient struct{ *authority }

// faults returns what befalls an authority, the more usual things more often.
func (p *patient) faults(remote bool) []history.Fault {
	var all []history.Fault
	calls := []call{"sync", "fence", "clear", "unfence", "drop"}
	if remote {
		calls = append(calls, "get", "set", "swap")
	}
	for _, c := range calls {
		for _, f := range []failure{before, after, later} {
			switch {
			case f == later && (c == "sync" || c == "get"): // the same as before
			case f == later && c == "drop": // would hit those who use the name again
			default:
				all = append(all, p.next(c, f))
			}
		}
	}
	all = append(all,
		history.Fault{Name: "the next calls fail", Unfences: true, Befall: p.with(func(a *authority) { a.outage = 12 })},
		history.Fault{Name: "what was late is done", Befall: p.with((*authority).arrive)},
		history.Fault{Name: "the metadata is lost", Unfences: true, Befall: p.with((*authority).forget)},
		history.Fault{Name: "fences lapse", Unfences: true, Befall: p.with((*authority).expire)},
		history.Fault{Name: "a lease passes, and no fence is renewed", Unfences: true, Befall: func(ctx context.Context) {
			p.with(func(a *authority) { a.deaf = true })(ctx)
			time.Sleep(Lease + Lease/10)
			p.with(func(a *authority) { a.deaf = false })(ctx)
		}},
		passes(Lease/10), passes(Lease/10), passes(10*Lease),
	)
	if remote {
		all = append(all,
			history.Fault{Name: "values are lost", Befall: p.with(func(a *authority) { clear(a.values) })},
			history.Fault{Name: "values are cut off", Befall: p.with(func(a *authority) {
				a.garble(func(data []byte) []byte { return data[:len(data)/2] })
			})},
			history.Fault{Name: "values are garbled", Befall: p.with(func(a *authority) {
				a.garble(func(data []byte) []byte { return append([]byte{0xff}, data...) })
			})},
		)
	}
	return all
}

// next is the fault that the next call of that kind fails. A fence that stands
// may go because of that when it is renewed in vain.
func (p *patient) next(c call, f failure) history.Fault {
	return history.Fault{
		Name: fmt.Sprintf("the next %s %s", c, f), Unfences: c == "fence",
		Befall: p.with(func(a *authority) { a.armed[c] = f }),
	}
}

// passes is no fault but the time for others to show: what failed is tried
// again, what stands lapses.
func passes(d time.Duration) history.Fault {
	return history.Fault{Name: fmt.Sprintf("%v pass", d), Befall: func(context.Context) { time.Sleep(d) }}
}

// with returns what does something to the authority of the moment.
func (p *patient) with(do func(*authority)) func(context.Context) {
	return func(context.Context) {
		a := p.authority
		a.mu.Lock()
		defer a.mu.Unlock()
		do(a)
	}
}

// arrive does what was to be done later. a.mu is held.
func (a *authority) arrive() {
	for _, done := range a.late {
		done()
	}
	a.late = nil
}

// forget loses what is known of every database. a.mu is held.
func (a *authority) forget() {
	for database := range a.known {
		_ = a.backend.Drop(context.Background(), database) // it cannot fail before it is closed
	}
	a.fences = nil
}

// expire ends the lease of every fence. a.mu is held.
func (a *authority) expire() {
	for i := range a.fences {
		a.fences[i].until = time.Time{}
	}
	a.lapse()
}
