package backendtest_test

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/seed-dad15c92/txcache/backend"
)

var brokenValues = []variant{
	{"value-comes-back", "Set keeps nothing", func(b *broken) {
		b.set = func(context.Context, []backend.Value) error { return nil }
	}},
	{"value-comes-back", "values stay on their server", func(b *broken) {
		own := newAuthority().open()
		b.get, b.set = own.Get, own.Set
	}},
	{"value-comes-back", "Set keeps the first value of a key", func(b *broken) {
		b.set = func(ctx context.Context, values []backend.Value) error {
			return b.server.Set(ctx, slices.DeleteFunc(slices.Clone(values), func(v backend.Value) bool {
				found, err := b.server.Get(ctx, []backend.Key{v.Key})
				return err == nil && found[0] != nil
			}))
		}
	}},
	{"value-of-great-length", "values are cut after a million bytes", func(b *broken) {
		eachValue(b, func(v backend.Value) backend.Value {
			v.Data = v.Data[:min(len(v.Data), 1_000_000)]
			return v
		})
	}},
	{"value-may-be-empty", "empty values are missing", func(b *broken) {
		eachFound(b, func(data []byte) []byte {
			if len(data) == 0 {
				return nil
			}
			return data
		})
	}},
	{"value-may-be-empty", "missing values are empty", func(b *broken) {
		eachFound(b, func(data []byte) []byte { return append([]byte{}, data...) })
	}},
	{"values-keep-the-order", "Get leaves out what is missing", func(b *broken) {
		b.get = func(ctx context.Context, keys []backend.Key) ([][]byte, error) {
			found, err := b.server.Get(ctx, keys)
			return slices.DeleteFunc(found, func(data []byte) bool { return data == nil }), err
		}
	}},
	{"values-keep-the-order", "Get sorts the keys", func(b *broken) {
		b.get = func(ctx context.Context, keys []backend.Key) ([][]byte, error) {
			sorted := slices.SortedFunc(slices.Values(keys), func(a, b backend.Key) int { return strings.Compare(a.Key, b.Key) })
			return b.server.Get(ctx, sorted)
		}
	}},
	{"values-keep-the-order", "Get answers a repeated key once", func(b *broken) {
		b.get = func(ctx context.Context, keys []backend.Key) ([][]byte, error) {
			found, err := b.server.Get(ctx, keys)
			seen := map[backend.Key]bool{}
			for i, k := range keys {
				if seen[k] {
					found[i] = nil
				}
				seen[k] = true
			}
			return found, err
		}
	}},
	{"values-never-meet", "keys overlook the database", eachKey(func(k *backend.Key) { k.Database = "" })},
	{"values-never-meet", "keys overlook the cache", eachKey(func(k *backend.Key) { k.Cache = "" })},
	{"values-never-meet", "keys overlook the schema", eachKey(func(k *backend.Key) { k.Schema = "" })},
	{"values-never-meet", "keys overlook the token", eachKey(func(k *backend.Key) { k.Token = "" })},
	{"values-never-meet", "keys are joined by colons", eachKey(func(k *backend.Key) {
		*k = backend.Key{Key: strings.Join([]string{k.Database, k.Cache, k.Schema, string(k.Token), k.Key}, ":")}
	})},
	{"values-never-meet", "databases and caches are joined by a NUL", eachKey(func(k *backend.Key) {
		k.Database, k.Cache = k.Database+"\x00"+k.Cache, ""
	})},
	{"values-never-meet", "caches and schemas are joined by an at sign", eachKey(func(k *backend.Key) {
		k.Cache, k.Schema = k.Cache+"@"+k.Schema, ""
	})},
	{"values-never-meet", "keys are cut after 254 bytes", eachKey(func(k *backend.Key) { k.Key = k.Key[:min(len(k.Key), 254)] })},
	{"values-never-meet", "keys that are empty are missing", func(b *broken) {
		b.set = func(ctx context.Context, values []backend.Value) error {
			return b.server.Set(ctx, slices.DeleteFunc(slices.Clone(values), func(v backend.Value) bool { return v.Key.Key == "" }))
		}
	}},
	{"value-belongs-to-a-generation", "values outlive their generation", eachKey(func(k *backend.Key) { k.Token = "" })},
	{"value-expires", "values never expire", func(b *broken) {
		eachValue(b, func(v backend.Value) backend.Value { v.TTL = 0; return v })
	}},
	{"value-expires", "times to live are rounded down to none", func(b *broken) {
		eachValue(b, func(v backend.Value) backend.Value { v.TTL = v.TTL.Truncate(time.Millisecond); return v })
	}},
	{"value-expires", "hits lengthen the life of a value", func(b *broken) {
		b.get = func(ctx context.Context, keys []backend.Key) ([][]byte, error) {
			found, err := b.server.Get(ctx, keys)
			b.mu.Lock()
			defer b.mu.Unlock()
			for i, k := range keys {
				if e := b.values[k]; found[i] != nil && !e.end.IsZero() {
					e.end = time.Now().Add(lease)
					b.values[k] = e
				}
			}
			return found, err
		}
	}},
	{"value-bytes-are-the-callers", "Set keeps the slices it is given", func(b *broken) {
		b.set = func(ctx context.Context, values []backend.Value) error {
			err := b.server.Set(ctx, values)
			for _, v := range values {
				b.values[v.Key] = entry{data: v.Data}
			}
			return err
		}
	}},
	{"value-bytes-are-the-callers", "Set wipes what it was given", func(b *broken) {
		b.set = func(ctx context.Context, values []backend.Value) error {
			err := b.server.Set(ctx, values)
			clear(values)
			return err
		}
	}},
	{"value-bytes-are-the-callers", "Get hands out what it keeps", func(b *broken) {
		b.get = func(ctx context.Context, keys []backend.Key) ([][]byte, error) {
			found, err := b.server.Get(ctx, keys)
			for i, k := range keys {
				if found[i] != nil {
					found[i] = b.values[k].data
				}
			}
			return found, err
		}
	}},
	{"value-bytes-are-the-callers", "Get cuts its answers from one buffer", func(b *broken) {
		b.get = func(ctx context.Context, keys []backend.Key) ([][]byte, error) {
			found, err := b.server.Get(ctx, keys)
			buffer := slices.Concat(found...)
			for i, data := range found {
				if data != nil {
					found[i], buffer = buffer[:len(data)], buffer[len(data):]
				}
			}
			return found, err
		}
	}},
	{"value-goes-with-its-database", "Drop leaves the values", func(b *broken) {
		b.drop = b.generations.Drop
	}},
	{"value-goes-with-its-database", "Drop takes values by prefix", dropsByPrefix},
	{"value-goes-with-its-database", "Drop takes an asterisk for all", func(b *broken) {
		b.drop = func(ctx context.Context, database string) error {
			if database == "*" {
				b.mu.Lock()
				clear(b.values)
				b.mu.Unlock()
			}
			return b.server.Drop(ctx, database)
		}
	}},
	{"value-goes-with-its-database", "Drop takes the neighbours that differ in case", func(b *broken) {
		b.drop = func(ctx context.Context, database string) error {
			b.mu.Lock()
			maps.DeleteFunc(b.values, func(k backend.Key, _ entry) bool { return strings.EqualFold(k.Database, database) })
			b.mu.Unlock()
			return b.server.Drop(ctx, database)
		}
	}},
}

// eachValue makes Set keep what change makes of the values.
func eachValue(b *broken, change func(backend.Value) backend.Value) {
	b.set = func(ctx context.Context, values []backend.Value) error {
		values = slices.Clone(values)
		for i, v := range values {
			values[i] = change(v)
		}
		return b.server.Set(ctx, values)
	}
}

// eachFound makes Get return what change makes of the data.
func eachFound(b *broken, change func([]byte) []byte) {
	b.get = func(ctx context.Context, keys []backend.Key) ([][]byte, error) {
		found, err := b.server.Get(ctx, keys)
		for i, data := range found {
			found[i] = change(data)
		}
		return found, err
	}
}

// eachKey returns what makes Get and Set use what change makes of the keys.
func eachKey(change func(*backend.Key)) func(*broken) {
	return func(b *broken) {
		eachValue(b, func(v backend.Value) backend.Value { change(&v.Key); return v })
		b.get = func(ctx context.Context, keys []backend.Key) ([][]byte, error) {
			keys = slices.Clone(keys)
			for i := range keys {
				change(&keys[i])
			}
			return b.server.Get(ctx, keys)
		}
	}
}
