package main

import (
	"bytes"
	"context"
	"errors"
	"maps"
	"sync"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/config"
	"github.com/seed-dad15c92/txcache/memorybackend"
)

// A shared backend is one for several stores: it has values as well, and
// outlives the stores. Its values live for ever.
type shared struct {
	backend.Backend

	mu     sync.Mutex
	values map[backend.Key][]byte
}

var registry struct {
	sync.Mutex
	byPrefix map[string]*shared
}

// sharedBy returns the backend of all who are configured with that prefix.
func sharedBy(prefix string) *shared {
	registry.Lock()
	defer registry.Unlock()
	b := registry.byPrefix[prefix]
	if b == nil {
		b = &shared{Backend: memorybackend.New(), values: map[backend.Key][]byte{}}
		if registry.byPrefix == nil {
			registry.byPrefix = map[string]*shared{}
		}
		registry.byPrefix[prefix] = b
	}
	return b
}

func (b *shared) Close() error { return nil }

func (b *shared) Drop(ctx context.Context, database string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	maps.DeleteFunc(b.values, func(k backend.Key, _ []byte) bool { return k.Database == database })
	return b.Backend.Drop(ctx, database)
}

func (b *shared) Get(_ context.Context, keys []backend.Key) ([][]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	data := make([][]byte, len(keys))
	for i, k := range keys {
		data[i] = bytes.Clone(b.values[k])
	}
	return data, nil
}

func (b *shared) Set(_ context.Context, values []backend.Value) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, v := range values {
		b.values[v.Key] = bytes.Clone(v.Data)
	}
	return nil
}

func (b *shared) count() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.values)
}

func openShared(_ context.Context, cfg *config.Config) (backend.Backend, error) {
	return sharedBy(cfg.Prefix), nil
}

// A forgetful backend says that it clears, and does not.
type forgetful struct{ *shared }

func (b forgetful) Fence(context.Context, string, backend.Fence) error { return nil }

func (b forgetful) Clear(ctx context.Context, database string, _ backend.Fence) (*backend.State, error) {
	return b.Sync(ctx, database)
}

func openForgetful(_ context.Context, cfg *config.Config) (backend.Backend, error) {
	return forgetful{sharedBy(cfg.Prefix)}, nil
}

// An away backend cannot be reached.
type away struct{ backend.Backend }

func (away) Sync(context.Context, string) (*backend.State, error) { return nil, errAway }

func openAway(context.Context, *config.Config) (backend.Backend, error) {
	return away{memorybackend.New()}, nil
}

// openOnce has a backend for one store alone.
func openOnce(_ context.Context, cfg *config.Config) (backend.Backend, error) {
	registry.Lock()
	taken := registry.byPrefix[cfg.Prefix] != nil
	registry.Unlock()
	if taken {
		return nil, errors.New("there is no second one")
	}
	return sharedBy(cfg.Prefix), nil
}
