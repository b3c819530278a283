package loading

import (
	"context"
	"slices"

	"github.com/seed-dad15c92/txcache/internal/transaction"
)

// A chain lists the transactions whose loaders enclose a load, innermost first. The
// context of a loader carries it, so it also reaches goroutines and transactions
// that the loader starts.
type chain struct {
	t     *transaction.Transaction
	outer *chain
}

type chainKey struct{}

// chainOf returns the chain that ctx carries, nil outside of loaders.
func chainOf(ctx context.Context) *chain {
	c, _ := ctx.Value(chainKey{}).(*chain)
	return c
}

// loaderContext returns ctx for a loader that t calls.
func loaderContext(ctx context.Context, t *transaction.Transaction) context.Context {
	outer := chainOf(ctx)
	if outer != nil && outer.t == t {
		return ctx
	}
	if outer != nil {
		t.AddAround(outer.appendTo(nil))
	}
	return context.WithValue(ctx, chainKey{}, &chain{t, outer})
}

// blocked returns the transactions that cannot continue while a load of t with ctx
// waits: t, the transactions whose loaders enclose the load, and those in whose loaders
// one of these has called loaders before. So blocked also finds a loader that uses its
// transaction but does not pass its context on.
func blocked(ctx context.Context, t *transaction.Transaction) []*transaction.Transaction {
	all := chainOf(ctx).appendTo([]*transaction.Transaction{t})
	for i := 0; i < len(all); i++ {
		all = all[i].AppendAround(all)
	}
	return all
}

// appendTo appends to all the transactions of the chain that it does not have yet.
func (c *chain) appendTo(all []*transaction.Transaction) []*transaction.Transaction {
	for ; c != nil; c = c.outer {
		if !slices.Contains(all, c.t) {
			all = append(all, c.t)
		}
	}
	return all
}
