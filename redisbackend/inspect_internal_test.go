package redisbackend

import (
	"testing"

	"github.com/seed-dad15c92/txcache/backend"
)

// Whatever the names are, they come back from those on the server.
func FuzzEntry(f *testing.F) {
	f.Add("p", "shop", "ir.rule", "s1", "t1", "s.key", "p:shop:ir.rule@s1:t1:s.key")
	f.Add("my:app", "a:*{b}@\n", "c@x:@", "", "t.1", "!\xff é", "my%3Aapp:@sweep")
	f.Add("", "", "", "", "", "a key that is so long that it takes more than a hundred characters, of which there are more than enough", ":@")
	f.Fuzz(func(t *testing.T, prefix, database, cache, schema, token, key, any string) {
		l := newLayout(prefix)
		k := backend.Key{Database: database, Cache: cache, Schema: schema, Token: backend.Token(token), Key: key}
		e, ok := l.entry(l.value(&k))
		if !ok || e.Database != database || e.Cache != cache || e.Schema != schema || e.Token != k.Token {
			t.Errorf("%q is read as %q, %t", l.value(&k), e, ok)
		}
		if !e.Is(key) || e.Is(key+"x") || e.Digest == "" && e.Key != key {
			t.Errorf("the key %q is read as %q or the digest %q", key, e.Key, e.Digest)
		}
		if name, ok := l.databaseOf(l.hash(database)); !ok || name != database {
			t.Errorf("%q is read as %q, %t", l.hash(database), name, ok)
		}
		for _, other := range []string{l.value(&k), l.sweepLock(), l.channel()} {
			if name, ok := l.databaseOf(other); ok {
				t.Errorf("%q is taken for the hash of %q", other, name)
			}
		}
		for _, other := range []string{l.hash(database), l.sweepLock(), l.channel()} {
			if e, ok := l.entry(other); ok {
				t.Errorf("%q is taken for a value: %q", other, e)
			}
		}
		// Names that others have made are taken for one thing at most.
		_, ok1 := l.databaseOf(any)
		_, ok2 := l.entry(any)
		if ok1 && ok2 {
			t.Errorf("%q is taken for a hash and for a value", any)
		}
	})
}

// A hash that nobody should have written is no reason to fail.
func FuzzDescribe(f *testing.F) {
	f.Add("e1 5", "b1", "f1 1700000000000 60000 0 users roles\n", "cusers", "t1")
	f.Add("e1", "", "x", "c%", "")
	f.Add("e1 5", "b", "f 99999999999999999999 1 1\n", "c", "t")
	f.Add("e1 5", "b", "f 1 1 0 !x a #0000000000000001 a#0000000000000001", "s", "5 0 0 0")
	f.Add("e1 5", "b", "f 1 1 0 !x #1", "w1", "5 a@t")
	f.Add("e1 5", "b", "", "o", "9")
	f.Fuzz(func(t *testing.T, epoch, base, fences, field, value string) {
		d := describe("shop", map[string]string{"e": epoch, "b": base, "f": fences, field: value})
		if d.Kept != (d.State != nil) || d.Name != "shop" {
			t.Errorf("%+v", d)
		}
	})
}
