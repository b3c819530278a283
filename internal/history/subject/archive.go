package subject

import (
	"bytes"
	"context"
	"time"

	"github.com/seed-dad15c92/txcache/backend"
)

// An archive is an authority that also keeps encoded values.
type archive struct{ *authority }

// stored is encoded data.
type stored struct {
	data    []byte
	expires time.Time // zero: never
}

func (a *archive) Get(ctx context.Context, keys []backend.Key) ([][]byte, error) {
	found := make([][]byte, len(keys))
	err := a.do(ctx, "get", func(context.Context) error {
		for i, key := range keys {
			if s, ok := a.values[key]; ok && s.alive() {
				found[i] = append([]byte{}, s.data...)
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

func (a *archive) Set(ctx context.Context, values []backend.Value) error {
	kept := make(map[backend.Key]stored, len(values))
	for _, v := range values {
		s := stored{data: append([]byte{}, v.Data...)}
		if v.TTL > 0 {
			s.expires = time.Now().Add(v.TTL)
		}
		kept[v.Key] = s
	}
	return a.do(ctx, "set", func(context.Context) error {
		for key, s := range kept {
			a.values[key] = s
		}
		return nil
	})
}

// Swap does the swaps, each by itself, at one moment.
func (a *archive) Swap(ctx context.Context, swaps []backend.Swap) ([][]byte, error) {
	all := make([]backend.Swap, len(swaps)) // may be done later
	for i, s := range swaps {
		s.Old, s.New = bytes.Clone(s.Old), bytes.Clone(s.New)
		all[i] = s
	}
	var found [][]byte
	err := a.do(ctx, "swap", func(context.Context) error {
		found = make([][]byte, len(all))
		for i, s := range all {
			found[i] = a.swap(s)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// swap does s, and returns what it found. a.mu is held.
func (a *archive) swap(s backend.Swap) []byte {
	there, ok := a.values[s.Key]
	if ok = ok && there.alive(); !ok {
		there.data = nil
	}
	switch {
	case ok != (s.Old != nil) || !bytes.Equal(there.data, s.Old):
	case s.New == nil:
		delete(a.values, s.Key)
	default:
		kept := stored{data: s.New}
		if s.TTL > 0 {
			kept.expires = time.Now().Add(s.TTL)
		}
		a.values[s.Key] = kept
	}
	return bytes.Clone(there.data)
}

func (s stored) alive() bool { return s.expires.IsZero() || time.Now().Before(s.expires) }

// garble changes the data of every value. a.mu is held.
func (a *authority) garble(change func([]byte) []byte) {
	for key, s := range a.values {
		s.data = change(s.data)
		a.values[key] = s
	}
}
