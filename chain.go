package txcache

import (
	"context"
	"slices"
)

// A chain is the transactions in whose loaders a load is, innermost first. The
// context that a loader gets carries it, so that goroutines which a loader starts
// and transactions which it begins belong to it too.
type chain struct {
	t  *transaction
	up *chain
}

type chainKey struct{}

// chainOf returns the chain that ctx carries, nil outside of loaders.
func chainOf(ctx context.Context) *chain {
	c, _ := ctx.Value(chainKey{}).(*chain)
	return c
}

// loaderContext returns ctx for a loader that t calls.
func (t *transaction) loaderContext(ctx context.Context) context.Context {
	up := chainOf(ctx)
	if up != nil && up.t == t {
		return ctx
	}
	if up != nil {
		t.mu.Lock()
		if !t.done {
			w := t.worked()
			w.around = up.appendTo(w.around)
		}
		t.mu.Unlock()
	}
	return context.WithValue(ctx, chainKey{}, &chain{t, up})
}

// blocked returns the transactions that cannot go on while a load waits that t
// makes with ctx: t itself, those in whose loaders the load is, and those in whose
// loaders one of these has called loaders before. So a loader that does not pass
// its context on, but loads in the same transaction, is known for what it is.
func (t *transaction) blocked(ctx context.Context) []*transaction {
	all := chainOf(ctx).appendTo([]*transaction{t})
	for i := 0; i < len(all); i++ {
		all = all[i].appendAround(all)
	}
	return all
}

func (t *transaction) appendAround(all []*transaction) []*transaction {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.work != nil {
		for _, other := range t.work.around {
			all = add(all, other)
		}
	}
	return all
}

// appendTo appends the chain's transactions to those that all has not.
func (c *chain) appendTo(all []*transaction) []*transaction {
	for ; c != nil; c = c.up {
		all = add(all, c.t)
	}
	return all
}

func add(all []*transaction, t *transaction) []*transaction {
	if slices.Contains(all, t) {
		return all
	}
	return append(all, t)
}
