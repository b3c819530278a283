package redisbackend

import (
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/seed-dad15c92/txcache/backend"
)

func TestLayout(t *testing.T) {
	l := newLayout("my:app")
	short := strings.Repeat("x", longestKey)
	for _, c := range []struct {
		what, got, want string
	}{
		{"hash", l.hash("shop"), "my%3Aapp:shop:@"},
		{"hash of a hostile name", l.hash("a:*{b}@\n"), "my%3Aapp:a%3A%2A%7Bb%7D%40%0A:@"},
		{"sweep lock", l.sweepLock(), "my%3Aapp:@sweep"},
		{"channel", l.channel(), "my%3Aapp:@changes"},
		{"pattern", l.pattern("sh?p"), "my%3Aapp:sh%3Fp:*"},
		{"value", l.value(&backend.Key{Database: "shop", Cache: "ir.rule", Schema: "s1", Token: "t1", Key: "42"}), "my%3Aapp:shop:ir.rule@s1:t1:42"},
		{"value of a hostile key", l.value(&backend.Key{Database: "d", Cache: "c@x", Token: "t", Key: "é!"}), "my%3Aapp:d:c%40x@:t:%C3%A9%21"},
		{"value of a key just short enough", l.value(&backend.Key{Database: "d", Cache: "c", Token: "t", Key: short}), "my%3Aapp:d:c@:t:" + short},
		// The digest is that of sha256sum.
		{"value of a long key", l.value(&backend.Key{Database: "d", Cache: "c", Token: "t", Key: short + "x"}), "my%3Aapp:d:c@:t:!xnWi5gSwzRIpwDbjzgyHQimAokXilbvGBaUHoimXUts"},
	} {
		if c.got != c.want {
			t.Errorf("%s: %q, want %q", c.what, c.got, c.want)
		}
	}
}

func FuzzEscape(f *testing.F) {
	f.Add("", "%")
	f.Add("a:b", "a%3Ab")
	f.Add("*?[]{}@!\\^", "\x00\xff ")
	f.Fuzz(func(t *testing.T, a, b string) {
		ea, eb := escape(a), escape(b)
		if (a == b) != (ea == eb) {
			t.Errorf("%q and %q become %q and %q", a, b, ea, eb)
		}
		if strings.ContainsAny(ea, ":@!*?[]{}\\ \n") {
			t.Errorf("%q becomes %q", a, ea)
		}
		if got, ok := unescape(ea); !ok || got != a {
			t.Errorf("%q becomes %q, and that %q, %t", a, ea, got, ok)
		}
		if got, ok := unescape(a); ok && escape(got) != a {
			t.Errorf("%q is taken for an escaped %q", a, got)
		}
	})
}

// Keys that differ in any field have names that differ, and their generation
// can be read from the name.
func FuzzValueKeys(f *testing.F) {
	f.Add("d", "c", "s", "t", "k", "d:c", "", "s@t", "", "k:")
	f.Fuzz(func(t *testing.T, d1, c1, s1, t1, k1, d2, c2, s2, t2, k2 string) {
		l := newLayout("p")
		a := backend.Key{Database: d1, Cache: c1, Schema: s1, Token: backend.Token(t1), Key: k1}
		b := backend.Key{Database: d2, Cache: c2, Schema: s2, Token: backend.Token(t2), Key: k2}
		if (a == b) != (l.value(&a) == l.value(&b)) {
			t.Errorf("%+v and %+v become %q and %q", a, b, l.value(&a), l.value(&b))
		}
		if l.value(&a) == l.hash(d2) || l.value(&a) == l.sweepLock() {
			t.Errorf("%+v becomes %q", a, l.value(&a))
		}
		name, cache, token, ok := l.generation(l.value(&a))
		if !ok || name != escape(d1) || cache != escape(c1) || token != escape(t1) {
			t.Errorf("the generation of %q is %q, %q, %q, %t", l.value(&a), name, cache, token, ok)
		}
		for _, other := range []string{l.hash(d1), l.sweepLock(), l.channel(), k1} {
			if _, _, _, ok := l.generation(other); ok && other != k1 {
				t.Errorf("%q is taken for a value", other)
			}
		}
	})
}

// What is announced for a long name is kept as long as the process knows something of the database.
func TestLongNamesAreLetGo(t *testing.T) {
	server := miniredis.RunT(t)
	client := redis.NewClient(&redis.Options{Addr: server.Addr(), DisableIdentity: true})
	defer client.Close()
	b, err := New(client, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	name := strings.Repeat("x", 300)
	for what, end := range map[string]func() bool{
		"dropped":   func() bool { return b.Drop(t.Context(), name) == nil },
		"forgotten": func() bool { return b.Forget(name) },
	} {
		if _, err := b.Sync(t.Context(), name); err != nil {
			t.Fatal(err)
		}
		if !end() {
			t.Fatalf("the database is not %s", what)
		}
		b.longNames.Range(func(_, _ any) bool {
			t.Errorf("the name of a database that was %s is kept", what)
			return true
		})
	}
}
