package backendtest

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/seed-dad15c92/txcache/backend"
)

var valueRules = []Rule{{
	Name:  "value-comes-back",
	Why:   "A value that is not there is a miss every time; one that comes back changed is wrong data.",
	needs: needs{values: true},
	run: func(t *trial) {
		second := t.open("the second server")
		every := make([]byte, 256)
		for i := range every {
			every[i] = byte(i)
		}
		k, other := keyOf("k"), keyOf("other")
		for _, data := range [][]byte{every, []byte("replaced"), {0}, bytes.Repeat([]byte("\r\n$-1"), 50)} {
			t.first.set(backend.Value{Key: k, Data: slices.Clone(data)})
			for _, s := range []*server{t.first, second} {
				t.found(s, "after Set on the first server", k, data)
				t.missing(s, "after Set of another key", other)
			}
		}
	},
}, {
	Name:  "value-of-great-length",
	Why:   "A long value that comes back cut short, or breaks the connection for others, is worse than a miss.",
	needs: needs{values: true},
	run: func(t *trial) {
		const length = 10_000_000
		data := bytes.Repeat([]byte("0123456789abcdef-"), length/17+1)[:length]
		t.first.set(backend.Value{Key: keyOf("long"), Data: data}, backend.Value{Key: keyOf("short"), Data: []byte("s")})
		t.found(t.first, "after Set of ten million bytes", keyOf("long"), data)
		t.found(t.first, "after Set of ten million bytes", keyOf("short"), []byte("s"))
		k := keyOf(strings.Repeat("k", 10_000))
		t.first.set(backend.Value{Key: k, Data: []byte("v")})
		t.found(t.first, "after Set with a key of ten thousand bytes", k, []byte("v"))
	},
}, {
	Name:  "value-may-be-empty",
	Why:   "An empty value is data: taken for a miss, it would be loaded every time.",
	needs: needs{values: true},
	run: func(t *trial) {
		k := keyOf("empty")
		t.missing(t.first, "before Set", k)
		t.first.set(backend.Value{Key: k, Data: []byte{}})
		if got := t.first.get(k)[0]; got == nil || len(got) != 0 {
			t.failf("Get after Set of no bytes returned %q (nil: %t), want empty and not nil", got, got == nil)
		}
	},
}, {
	Name:  "values-keep-the-order",
	Why:   "Values are matched to keys by position: one out of place is another key's value.",
	needs: needs{values: true},
	run: func(t *trial) {
		var keys []backend.Key
		var values []backend.Value
		for i := range 1000 {
			keys = append(keys, keyOf(fmt.Sprint(i)))
			if i%3 != 0 {
				values = append(values, backend.Value{Key: keys[i], Data: []byte(keys[i].Key)})
			}
		}
		t.first.set(values...)
		slices.Reverse(keys)
		keys = append(keys, keys[0], keys[1], keys[0])
		set := map[backend.Key]bool{}
		for _, v := range values {
			set[v.Key] = true
		}
		for i, data := range t.first.get(keys...) {
			if (data != nil) != set[keys[i]] || data != nil && string(data) != keys[i].Key {
				t.failf("Get of %d keys returned %q (nil: %t) in place %d, whose key is %q (set: %t)",
					len(keys), data, data == nil, i, keys[i].Key, set[keys[i]])
			}
		}
		t.first.set()
		t.first.get()
	},
}, {
	Name:  "values-never-meet",
	Why:   "A value would be found under a key that it was not set under: another tenant's, another user's, or one that was cleared.",
	needs: needs{values: true},
	run: func(t *trial) {
		keys := distinctKeys()
		values := make([]backend.Value, len(keys))
		for i, k := range keys {
			values[i] = backend.Value{Key: k, Data: fmt.Append(nil, i)}
		}
		half := len(keys) / 2
		t.first.set(values[:half]...)
		for i, data := range t.first.get(keys[half:]...) {
			if data != nil {
				t.failf("Get of %.200q found the value of %.200q", keys[half+i], keys[t.index(data)])
			}
		}
		t.first.set(values[half:]...)
		for i, data := range t.first.get(keys...) {
			if data == nil {
				t.failf("Get of %.200q found nothing, want what was set", keys[i])
			}
			if j := t.index(data); j != i {
				t.failf("Get of %.200q found the value of %.200q", keys[i], keys[j])
			}
		}
	},
}}

// distinctKeys returns keys that differ in one field, or where a field ends and
// the next begins. No two are equal.
func distinctKeys() []backend.Key {
	base := keyOf("k")
	keys := []backend.Key{base, keyOf("")}
	vary := func(change func(k *backend.Key)) {
		k := base
		change(&k)
		if !slices.Contains(keys, k) {
			keys = append(keys, k)
		}
	}
	for range 3 {
		token := backend.NewToken()
		vary(func(k *backend.Key) { k.Token = token })
	}
	for _, name := range hostileNames {
		vary(func(k *backend.Key) { k.Database = name })
		vary(func(k *backend.Key) { k.Cache = name })
		vary(func(k *backend.Key) { k.Schema = name })
		vary(func(k *backend.Key) { k.Key = name })
	}
	for _, sep := range separators {
		vary(func(k *backend.Key) { k.Database, k.Cache = "a"+sep+"b", "c" })
		vary(func(k *backend.Key) { k.Database, k.Cache = "a", "b"+sep+"c" })
		vary(func(k *backend.Key) { k.Cache, k.Schema = "a"+sep+"b", "c" })
		vary(func(k *backend.Key) { k.Cache, k.Schema = "a", "b"+sep+"c" })
		vary(func(k *backend.Key) { k.Schema, k.Key = "s"+sep+string(base.Token), "k" })
		vary(func(k *backend.Key) { k.Schema, k.Key = "s", string(base.Token)+sep+"k" })
	}
	return keys
}

// index is the number that data holds.
func (t *trial) index(data []byte) (i int) {
	if _, err := fmt.Sscanf(string(data), "%d", &i); err != nil {
		t.failf("Get found %.40q, which was never set", data)
	}
	return i
}

var valueToken = backend.NewToken()

func keyOf(key string) backend.Key {
	return backend.Key{Database: "shop", Cache: "c", Schema: "s", Token: valueToken, Key: key}
}

func (t *trial) found(s *server, when string, k backend.Key, want []byte) {
	switch got := s.get(k)[0]; {
	case got == nil:
		t.failf("%s: Get on %s found nothing under %.200q", when, s.name, k)
	case !bytes.Equal(got, want):
		t.failf("%s: Get on %s found %.100q (%d bytes) under %.200q, want %.100q (%d bytes)", when, s.name, got, len(got), k, want, len(want))
	}
}

func (t *trial) missing(s *server, when string, k backend.Key) {
	if got := s.get(k)[0]; got != nil {
		t.failf("%s: Get on %s found %.100q under %.200q, want nil", when, s.name, got, k)
	}
}
