package subject

import (
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
			if s, ok := a.values[key]; ok && (s.expires.IsZero() || time.Now().Before(s.expires)) {
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

// garble changes the data of every value. a.mu is held.
func (a *authority) garble(change func([]byte) []byte) {
	for key, s := range a.values {
		s.data = change(s.data)
		a.values[key] = s
	}
}
