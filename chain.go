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
	return context.WithValue(ctx, chainKey{}, &chain{t, up})
}

// blocked returns the transactions that cannot go on while a load waits that t
// makes with ctx: t itself, and those in whose loaders the load is. That t is one
// of them finds nested loads of a transaction whatever context they are given.
func (t *transaction) blocked(ctx context.Context) []*transaction {
	all := []*transaction{t}
	for c := chainOf(ctx); c != nil; c = c.up {
		if !slices.Contains(all, c.t) {
			all = append(all, c.t)
		}
	}
	return all
}
