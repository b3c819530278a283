package caches

import (
	"context"
	"fmt"

	"github.com/google/go-cmp/cmp"
	"github.com/vmihailenco/msgpack/v5"
)

// A Remote is a cache of values of type V on a Redis server. It is safe for
// concurrent use.
type Remote[V any] interface {
	Get(ctx context.Context, key string) (value V, ok bool, err error)
	SetMany(ctx context.Context, values map[string]V) error
	Close()
}

// A RemoteKind is a kind of cache on Redis.
type RemoteKind[V any] struct {
	Name string
	Open func(addr string, size int) (Remote[V], error)
}

// FillRemote sets values, and makes sure that each is there and right and that
// another key is not. So everything is as near to the process as it can be.
func FillRemote[V any](ctx context.Context, c Remote[V], values map[string]V) error {
	if err := c.SetMany(ctx, values); err != nil {
		return err
	}
	for key, want := range values {
		got, ok, err := c.Get(ctx, key)
		if err != nil {
			return err
		}
		if !ok || !cmp.Equal(got, want) {
			return fmt.Errorf("%q has not the value that it was given", key)
		}
	}
	_, ok, err := c.Get(ctx, "a key that nobody has set")
	if ok {
		err = fmt.Errorf("a key that nobody has set has a value")
	}
	return err
}

// encode returns value as the programs keep it that use a client without a
// codec: text as it is, other things in msgpack.
func encode[V any](value V) ([]byte, error) {
	if text, ok := any(value).(string); ok {
		return []byte(text), nil
	}
	return msgpack.Marshal(value)
}

func decode[V any](data []byte) (value V, err error) {
	if text, ok := any(&value).(*string); ok {
		*text = string(data)
		return value, nil
	}
	return value, msgpack.Unmarshal(data, &value)
}
