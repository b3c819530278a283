package subject

import (
	"context"
	"fmt"
	"sync"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/enlistertest"
	"github.com/seed-dad15c92/txcache/internal/history"
)

// Enlisted opens stores that keep their generations in the history's own database (class
// sql), and returns what befalls the one that was opened last: rows of clears are
// folded, keys forgotten, all rows lost. With remote the stores also share
// encoded values, and with near they keep decoded ones all the same; without remote
// they must.
func Enlisted(remote, near bool) (history.Open, []history.Fault) {
	var last *enlistertest.DB
	open := func(ctx context.Context, servers int, caches []history.CacheSpec) ([]history.Server, error) {
		db, kept := enlistertest.New(), &values{kept: map[backend.Key][]byte{}}
		last = db
		all, err := Of(func(context.Context, int) ([]*txcache.Store, error) {
			stores := make([]*txcache.Store, servers)
			for i := range stores {
				var b backend.Backend = db.Backend()
				if remote {
					b = keeper{db.Backend(), kept}
				}
				o := Options()
				o.NoNear = !near
				var err error
				if stores[i], err = txcache.New(b, o); err != nil {
					return nil, err
				}
			}
			return stores, nil
		})(ctx, servers, caches)
		for i, s := range all {
			all[i] = enlister{s.(*server), db}
		}
		return all, err
	}
	each := func(do func(db *enlistertest.DB, database string)) func(context.Context) {
		return func(context.Context) {
			for _, database := range last.Databases() {
				do(last, database)
			}
		}
	}
	return open, []history.Fault{
		{Name: "rows of clears are folded", Befall: each((*enlistertest.DB).Fold)},
		{Name: "deleted keys are forgotten", Befall: each((*enlistertest.DB).Forget)},
		{Name: "rows of clears are folded", Befall: each((*enlistertest.DB).Fold)},
		{Name: "rows of clears are lost", Befall: each((*enlistertest.DB).Lose)},
	}
}

// An enlister is a server whose transactions are enlisted.
type enlister struct {
	*server
	db *enlistertest.DB
}

func (e enlister) Clears() *enlistertest.DB { return e.db }

func (e enlister) Enlist(ctx context.Context, database string, q *enlistertest.Tx, readOnly bool) (history.Tx, error) {
	t, err := e.Store.Enlist(ctx, database, q, &txcache.EnlistOptions{ReadOnly: readOnly, Exact: true})
	if err != nil {
		return nil, fmt.Errorf("subject: enlist: %w", err)
	}
	return tx{t, e.server}, nil
}

// A keeper is an Enlister that also keeps encoded values, for all servers.
type keeper struct {
	*enlistertest.Backend
	*values
}

// values are encoded values of all servers.
type values struct {
	mu   sync.Mutex
	kept map[backend.Key][]byte
}

func (v *values) Get(_ context.Context, keys []backend.Key) ([][]byte, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	found := make([][]byte, len(keys))
	for i, key := range keys {
		found[i] = v.kept[key]
	}
	return found, nil
}

func (v *values) Set(_ context.Context, values []backend.Value) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, value := range values {
		v.kept[value.Key] = append([]byte{}, value.Data...)
	}
	return nil
}
