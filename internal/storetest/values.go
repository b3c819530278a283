package storetest

import (
	"bytes"
	"context"
	"maps"
	"sync"
	"time"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/memorybackend"
)

// Values is a memory backend that keeps values outside of the store.
type Values struct {
	*memorybackend.Backend

	mu   sync.Mutex
	Kept map[backend.Key]KeptValue
	Gets int // calls
	Sets int

	Given int // values, in all calls of Set
}

// A KeptValue is a value that a Values keeps.
type KeptValue struct {
	Data    []byte
	Expires time.Time
}

// NewValues returns one that is empty.
func NewValues() *Values {
	return &Values{Backend: memorybackend.New(), Kept: map[backend.Key]KeptValue{}}
}

func (v *Values) Get(ctx context.Context, keys []backend.Key) ([][]byte, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.Gets++
	data := make([][]byte, len(keys))
	for i, k := range keys {
		if kept, ok := v.Kept[k]; ok && (kept.Expires.IsZero() || time.Now().Before(kept.Expires)) {
			data[i] = append([]byte{}, kept.Data...)
		}
	}
	return data, ctx.Err()
}

func (v *Values) Set(ctx context.Context, values []backend.Value) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.Sets++
	v.Given += len(values)
	for _, value := range values {
		kept := KeptValue{Data: append([]byte{}, value.Data...)}
		if value.TTL > 0 {
			kept.Expires = time.Now().Add(value.TTL)
		}
		v.Kept[value.Key] = kept
	}
	return ctx.Err()
}

func (v *Values) Swap(ctx context.Context, swaps []backend.Swap) ([][]byte, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	found := make([][]byte, len(swaps))
	for i, s := range swaps {
		kept, ok := v.Kept[s.Key]
		if ok && !kept.Expires.IsZero() && !time.Now().Before(kept.Expires) {
			delete(v.Kept, s.Key)
			kept, ok = KeptValue{}, false
		}
		found[i] = bytes.Clone(kept.Data)
		if ok != (s.Old != nil) || !bytes.Equal(kept.Data, s.Old) {
			continue
		}
		delete(v.Kept, s.Key)
		if s.New != nil {
			kept = KeptValue{Data: bytes.Clone(s.New)}
			if s.TTL > 0 {
				kept.Expires = time.Now().Add(s.TTL)
			}
			v.Kept[s.Key] = kept
		}
	}
	return found, ctx.Err()
}

func (v *Values) Drop(ctx context.Context, database string) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	maps.DeleteFunc(v.Kept, func(k backend.Key, _ KeptValue) bool { return k.Database == database })
	return v.Backend.Drop(ctx, database)
}

// An OpenValues is that of one of several stores: closing it does not close the
// Values.
type OpenValues struct{ *Values }

// Close does nothing.
func (OpenValues) Close() error { return nil }
