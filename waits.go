package txcache

import (
	"context"
	"slices"
	"sync"
)

// A wait is a load that waits for one that another transaction leads.
type wait struct {
	blocked []*transaction // that cannot go on before done is closed
	leader  *transaction
	done    <-chan struct{}
}

// waitGraph is the waits of a process. A load that leads may wait for another,
// unless the other waits, maybe by way of more, for just this one. The graph is of
// transactions, not of single loads: for a transaction that one goroutine uses
// this is the same, and for one that several use it errs on the side of not
// waiting.
//
// It is of the process and not of a store, as loaders may load from several
// stores.
type waitGraph struct {
	mu    sync.Mutex
	knots map[*transaction]*knot
}

// A knot is one transaction in the graph.
type knot struct {
	waits   map[*wait]bool // that block it
	awaited map[*wait]bool // for what it leads
	leases  map[*leases]bool
}

var waiting = waitGraph{knots: map[*transaction]*knot{}}

// begin notes that w begins to wait, and reports false if it must not, as that
// would close a cycle. Of two waits that would close one together the later sees
// the earlier.
func (g *waitGraph) begin(w *wait) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.waitsFor(w.leader, w.blocked) {
		return false
	}
	for _, t := range w.blocked {
		g.knot(t).waits[w] = true
	}
	g.knot(w.leader).awaited[w] = true
	return true
}

// end notes that w does not wait any more.
func (g *waitGraph) end(w *wait) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, t := range w.blocked {
		delete(g.knots[t].waits, w)
		g.drop(t)
	}
	if k := g.knots[w.leader]; k != nil {
		delete(k.awaited, w)
		g.drop(w.leader)
	}
}

// waitsFor reports whether t is one of others, or waits for one. g.mu is held.
func (g *waitGraph) waitsFor(t *transaction, others []*transaction) bool {
	seen := map[*transaction]bool{t: true}
	for open := []*transaction{t}; len(open) > 0; {
		t, open = open[len(open)-1], open[:len(open)-1]
		if slices.Contains(others, t) {
			return true
		}
		k := g.knots[t]
		if k == nil {
			continue
		}
		for w := range k.waits {
			select {
			case <-w.done: // its goroutine does not know yet
				continue
			default:
			}
			if !seen[w.leader] {
				seen[w.leader] = true
				open = append(open, w.leader)
			}
		}
	}
	return false
}

// hold notes that t has l; let undoes it.
func (g *waitGraph) hold(t *transaction, l *leases) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.knot(t).leases[l] = true
}

func (g *waitGraph) let(t *transaction, l *leases) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.knots[t].leases, l)
	g.drop(t)
}

// behind returns the leases of all that cannot go on while the transactions of
// blocked wait: their own, and those of who waits for them.
func (g *waitGraph) behind(blocked []*transaction) (all []*leases) {
	g.mu.Lock()
	defer g.mu.Unlock()
	seen := map[*transaction]bool{}
	for open := slices.Clone(blocked); len(open) > 0; {
		t := open[len(open)-1]
		open = open[:len(open)-1]
		k := g.knots[t]
		if seen[t] || k == nil {
			continue
		}
		seen[t] = true
		for l := range k.leases {
			all = append(all, l)
		}
		for w := range k.awaited {
			open = append(open, w.blocked...)
		}
	}
	return all
}

// knot returns that of t. g.mu is held.
func (g *waitGraph) knot(t *transaction) *knot {
	k := g.knots[t]
	if k == nil {
		k = &knot{waits: map[*wait]bool{}, awaited: map[*wait]bool{}, leases: map[*leases]bool{}}
		g.knots[t] = k
	}
	return k
}

// drop forgets t if nothing is known of it. g.mu is held.
func (g *waitGraph) drop(t *transaction) {
	if k := g.knots[t]; len(k.waits)+len(k.awaited)+len(k.leases) == 0 {
		delete(g.knots, t)
	}
}

// wait waits until done is closed, which leader does, no longer than ctx. It
// reports false at once if leader may be waiting for t, or for a loader that the
// load with ctx is in.
func (t *transaction) wait(ctx context.Context, leader *transaction, done <-chan struct{}) (bool, error) {
	select {
	case <-done:
		return true, nil
	default:
	}
	w := &wait{blocked: t.blocked(ctx), leader: leader, done: done}
	if !waiting.begin(w) {
		return false, nil
	}
	defer waiting.end(w)
	select {
	case <-done:
		return true, nil
	case <-ctx.Done():
		return true, context.Cause(ctx)
	}
}
