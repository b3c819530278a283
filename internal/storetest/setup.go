package storetest

import (
	"testing"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/redistest"
	"github.com/seed-dad15c92/txcache/memorybackend"
)

// A Setup is one way to run txcache. Its servers share one authority.
type Setup struct {
	Name   string
	Remote bool // servers share values, not only generations
	Coarse bool // values expire by the millisecond, rounded down
	Slow   bool // its scripts take a hundred times as long as a server's: what is exhaustive tries some of it
	Open   func(t testing.TB, servers int, opts txcache.Options) []*txcache.Store
}

// Setups are all those that can be in a bubble of testing/synctest. The first is
// the simplest.
var Setups = []Setup{
	{Name: "memory", Open: func(t testing.TB, servers int, opts txcache.Options) []*txcache.Store {
		return Stores(t, servers, opts, memorybackend.New())
	}},
	{Name: "values", Remote: true, Open: func(t testing.TB, servers int, opts txcache.Options) []*txcache.Store {
		return Stores(t, servers, opts, NewValues())
	}},
	{Name: "values without near", Remote: true, Open: func(t testing.TB, servers int, opts txcache.Options) []*txcache.Store {
		opts.NoNear = true
		return Stores(t, servers, opts, NewValues())
	}},
	{Name: "redis", Remote: true, Slow: true, Open: overMiniredis},
	{Name: "redis without near", Remote: true, Coarse: true, Slow: true, Open: func(t testing.TB, servers int, opts txcache.Options) []*txcache.Store {
		opts.NoNear = true
		return overMiniredis(t, servers, opts)
	}},
}

// Everywhere runs a test in every setup, and over a server that no bubble of
// testing/synctest could hold.
func Everywhere(t *testing.T, test func(t *testing.T, s Setup)) {
	for _, s := range Setups {
		t.Run(s.Name, func(t *testing.T) { test(t, s) })
	}
	t.Run("redis, real server", func(t *testing.T) {
		test(t, Setup{Name: "redis, real server", Remote: true, Open: OverServer(redistest.Start(t))})
	})
}

// One opens a single server.
func (s Setup) One(t testing.TB) *txcache.Store {
	return s.Open(t, 1, txcache.Options{})[0]
}

// Stores opens servers over one backend, which stays open until the last.
func Stores(t testing.TB, servers int, opts txcache.Options, b backend.Backend) []*txcache.Store {
	all := make([]*txcache.Store, servers)
	for i := range all {
		all[i] = NewStore(t, Shared(b), opts)
	}
	return all
}

// NewStore opens a store over b, and closes it with the test.
func NewStore(t testing.TB, b backend.Backend, opts txcache.Options) *txcache.Store {
	t.Helper()
	s, err := txcache.New(b, &opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// Shared returns b for one of several stores: closing it does not close b.
func Shared(b backend.Backend) backend.Backend {
	if v, ok := b.(*Values); ok {
		return OpenValues{v}
	}
	return openBackend{b}
}

type openBackend struct{ backend.Backend }

func (openBackend) Close() error { return nil }
