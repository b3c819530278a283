package loading

import (
	"context"
	"slices"
	"sync"

	"github.com/seed-dad15c92/txcache/internal/transaction"
)

// An edge is a load that waits for a load that another transaction leads.
type edge struct {
	blocked []*transaction.Transaction // that cannot continue before done is closed
	leader  *transaction.Transaction
	done    <-chan struct{}
}

// waitGraph is the wait-for graph of a process. A load that leads may wait for
// another, unless that would close a cycle. The nodes are transactions, not loads:
// where several goroutines use one transaction it may refuse a wait without need.
//
// There is one for the process and not one for each store, as loaders may load from
// several stores.
type waitGraph struct {
	mu    sync.Mutex
	nodes map[*transaction.Transaction]*node
}

// A node is one transaction in the graph.
type node struct {
	waits   map[*edge]bool // that block it
	awaited map[*edge]bool // for what it leads
	leases  map[*leaseGroup]bool
}

var waiting = waitGraph{nodes: map[*transaction.Transaction]*node{}}

// begin adds e, and returns false if e must not wait because it would close a cycle. The
// mutex orders two waits that would close a cycle together; the later one is refused.
func (g *waitGraph) begin(e *edge) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.waitsFor(e.leader, e.blocked) {
		return false
	}
	for _, t := range e.blocked {
		g.node(t).waits[e] = true
	}
	g.node(e.leader).awaited[e] = true
	return true
}

// end removes e.
func (g *waitGraph) end(e *edge) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, t := range e.blocked {
		delete(g.nodes[t].waits, e)
		g.prune(t)
	}
	if k := g.nodes[e.leader]; k != nil {
		delete(k.awaited, e)
		g.prune(e.leader)
	}
}

// waitsFor reports whether t is one of others, or waits for one of them. g.mu must be
// held.
func (g *waitGraph) waitsFor(t *transaction.Transaction, others []*transaction.Transaction) bool {
	seen := map[*transaction.Transaction]bool{t: true}
	for open := []*transaction.Transaction{t}; len(open) > 0; {
		t, open = open[len(open)-1], open[:len(open)-1]
		if slices.Contains(others, t) {
			return true
		}
		k := g.nodes[t]
		if k == nil {
			continue
		}
		for e := range k.waits {
			select {
			case <-e.done: // its goroutine has not noticed yet
				continue
			default:
			}
			if !seen[e.leader] {
				seen[e.leader] = true
				open = append(open, e.leader)
			}
		}
	}
	return false
}

// addLeases records that t has l; removeLeases undoes it.
func (g *waitGraph) addLeases(t *transaction.Transaction, l *leaseGroup) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.node(t).leases[l] = true
}

func (g *waitGraph) removeLeases(t *transaction.Transaction, l *leaseGroup) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.nodes[t].leases, l)
	g.prune(t)
}

// leasesBehind returns the leases of the transactions in blocked and of all
// transactions that wait for them: these leases cannot be given back meanwhile.
func (g *waitGraph) leasesBehind(blocked []*transaction.Transaction) (all []*leaseGroup) {
	g.mu.Lock()
	defer g.mu.Unlock()
	seen := map[*transaction.Transaction]bool{}
	for open := slices.Clone(blocked); len(open) > 0; {
		t := open[len(open)-1]
		open = open[:len(open)-1]
		k := g.nodes[t]
		if seen[t] || k == nil {
			continue
		}
		seen[t] = true
		for l := range k.leases {
			all = append(all, l)
		}
		for e := range k.awaited {
			open = append(open, e.blocked...)
		}
	}
	return all
}

// node returns the node of t. g.mu must be held.
func (g *waitGraph) node(t *transaction.Transaction) *node {
	k := g.nodes[t]
	if k == nil {
		k = &node{waits: map[*edge]bool{}, awaited: map[*edge]bool{}, leases: map[*leaseGroup]bool{}}
		g.nodes[t] = k
	}
	return k
}

// prune removes t if it has no edge and no lease. g.mu must be held.
func (g *waitGraph) prune(t *transaction.Transaction) {
	if k := g.nodes[t]; len(k.waits)+len(k.awaited)+len(k.leases) == 0 {
		delete(g.nodes, t)
	}
}

// wait waits until leader closes done, or others left, or ctx ends. It returns false at once if leader
// may be waiting for t, for a loader that encloses the load with ctx, or for a connection
// that t holds.
func wait(ctx context.Context, t, leader *transaction.Transaction, done, left <-chan struct{}) (bool, error) {
	select {
	case <-done:
		return true, nil
	default:
	}
	if !t.MayWaitFor(leader) { // P8
		return false, nil
	}
	e := &edge{blocked: blocked(ctx, t), leader: leader, done: done}
	if !waiting.begin(e) {
		return false, nil
	}
	defer waiting.end(e)
	select {
	case <-done:
		return true, nil
	case <-left:
		return true, nil
	case <-ctx.Done():
		return true, context.Cause(ctx)
	}
}
