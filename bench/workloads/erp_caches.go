package workloads

import (
	"context"

	"github.com/maypok86/otter/v2"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/bench/caches"
)

// An erp is a server with its caches.
type erp struct {
	access       shelf[accessKey, bool]
	rules        shelf[string, []string]
	views        shelf[viewKey, *view]
	fields       shelf[string, []string]
	actions      shelf[string, []int64]
	defaults     shelf[string, string]
	menus        shelf[int64, []int64]
	translations shelf[translationKey, string]
	settings     shelf[string, string]
	currencies   shelf[int64, string]
	groups       shelf[int64, []int64]
	partners     shelf[int64, string]

	begin func(context.Context, user) (*request, error)
	end   func(*request) error
	close func()
}

// A request is one of a user. Its transaction is nil beside otter.
type request struct {
	ctx  context.Context
	tx   *txcache.Tx
	user user
}

// A user is a user context.
type user struct {
	id       int64
	language string
	company  int64
}

// A shelf is one of the caches.
type shelf[K comparable, V any] interface {
	get(r *request, key K) (V, bool)
	set(r *request, key K, value V)
}

// erpSize is what each of the caches keeps at most.
const erpSize = 2048

func openTxERP(ctx context.Context, store *txcache.Store) (*erp, error) {
	s := &erp{
		access:       txShelfOf[accessKey, bool](store, "access", false),
		rules:        txShelfOf[string, []string](store, "rules", false),
		views:        txShelfOf[viewKey, *view](store, "views", false),
		fields:       txShelfOf[string, []string](store, "fields", false),
		actions:      txShelfOf[string, []int64](store, "actions", false),
		defaults:     txShelfOf[string, string](store, "defaults", false),
		menus:        txShelfOf[int64, []int64](store, "menus", false),
		translations: txShelfOf[translationKey, string](store, "translations", true),
		settings:     txShelfOf[string, string](store, "settings", true),
		currencies:   txShelfOf[int64, string](store, "currencies", true),
		groups:       txShelfOf[int64, []int64](store, "groups", true),
		partners:     txShelfOf[int64, string](store, "partners", true),

		begin: func(ctx context.Context, u user) (*request, error) {
			tx, err := store.BeginReadOnly(ctx, caches.Database)
			if err != nil {
				return nil, err
			}
			tx = tx.WithUser(u.id).WithContext(map[string]any{"language": u.language, "company": u.company})
			return &request{ctx, tx, u}, nil
		},
		end:   func(r *request) error { return r.tx.Commit(r.ctx) },
		close: func() { _ = store.Close() },
	}
	// Values of an earlier run are no values of this one.
	if err := store.Drop(ctx, caches.Database); err != nil {
		return nil, err
	}
	return s, s.fill(ctx)
}

// A txShelf is a cache of txcache.
type txShelf[K comparable, V any] struct{ *txcache.Cache[K, V] }

func txShelfOf[K comparable, V any](store *txcache.Store, name string, free bool) shelf[K, V] {
	return txShelf[K, V]{txcache.Must(txcache.NewCache[K, V](store, name, &txcache.CacheOptions{Size: erpSize, ContextFree: free}))}
}

func (s txShelf[K, V]) get(r *request, key K) (V, bool) { return s.Get(r.ctx, r.tx, key) }
func (s txShelf[K, V]) set(r *request, key K, value V)  { s.Set(r.tx, key, value) }

func openOtterERP(ctx context.Context) (*erp, error) {
	s := &erp{
		access:       userShelfOf[accessKey, bool](),
		rules:        userShelfOf[string, []string](),
		views:        userShelfOf[viewKey, *view](),
		fields:       userShelfOf[string, []string](),
		actions:      userShelfOf[string, []int64](),
		defaults:     userShelfOf[string, string](),
		menus:        userShelfOf[int64, []int64](),
		translations: freeShelfOf[translationKey, string](),
		settings:     freeShelfOf[string, string](),
		currencies:   freeShelfOf[int64, string](),
		groups:       freeShelfOf[int64, []int64](),
		partners:     freeShelfOf[int64, string](),

		begin: func(ctx context.Context, u user) (*request, error) { return &request{ctx: ctx, user: u}, nil },
		end:   func(*request) error { return nil },
		close: func() {},
	}
	return s, s.fill(ctx)
}

// A freeShelf is an otter whose values do not depend on the user.
type freeShelf[K comparable, V any] struct{ *otter.Cache[K, V] }

func freeShelfOf[K comparable, V any]() shelf[K, V] {
	return freeShelf[K, V]{otter.Must(&otter.Options[K, V]{MaximumSize: erpSize})}
}

func (s freeShelf[K, V]) get(_ *request, key K) (V, bool) { return s.GetIfPresent(key) }
func (s freeShelf[K, V]) set(_ *request, key K, value V)  { s.Set(key, value) }

// A userShelf is an otter with the user context in its keys.
type userShelf[K comparable, V any] struct{ *otter.Cache[userKey[K], V] }

type userKey[K comparable] struct {
	key  K
	user user
}

func userShelfOf[K comparable, V any]() shelf[K, V] {
	return userShelf[K, V]{otter.Must(&otter.Options[userKey[K], V]{MaximumSize: erpSize})}
}

func (s userShelf[K, V]) get(r *request, key K) (V, bool) {
	return s.GetIfPresent(userKey[K]{key, r.user})
}
func (s userShelf[K, V]) set(r *request, key K, value V) { s.Set(userKey[K]{key, r.user}, value) }
