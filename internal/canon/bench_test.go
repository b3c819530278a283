package canon_test

import (
	"net/netip"
	"testing"

	"github.com/seed-dad15c92/txcache/internal/canon"
)

func stableAllocs[K comparable](t *testing.T, key K) {
	t.Helper()
	keys := keysOf[K](t)
	stable := true
	if n := testing.AllocsPerRun(100, func() { stable = keys.Stable(key) && stable }); n != 0 || !stable {
		t.Errorf("Stable(%T) is %v and allocates %v times", key, stable, n)
	}
}

func TestStableDoesNotAllocate(t *testing.T) {
	stableAllocs(t, 1)
	stableAllocs(t, "a")
	stableAllocs(t, 1.5)
	stableAllocs(t, float32(1.5))
	stableAllocs[any](t, "a")
	stableAllocs[any](t, 1000)
	stableAllocs[any](t, id(1000))
	stableAllocs[any](t, nil)
	stableAllocs[any](t, [2]string{"a", "b"})
	stableAllocs(t, viewKey{})
	stableAllocs(t, boxed{viewKey{}})
	stableAllocs(t, [2]any{1000, netip.Addr{}})
}

func TestTextOfScalarsAllocatesTheTextAlone(t *testing.T) {
	text := ""
	strings, ints, ids := keysOf[string](t), keysOf[int](t), keysOf[id](t)
	for name, f := range map[string]func(){
		"string": func() { text = strings.Text("en_US") },
		"int":    func() { text = ints.Text(123456) },
		"id":     func() { text = ids.Text(123456) },
	} {
		if n := testing.AllocsPerRun(100, f); n != 1 {
			t.Errorf("Text of a key of type %s (%s) allocates %v times", name, text, n)
		}
	}
}

func TestIDDoesNotAllocateTwice(t *testing.T) {
	c, ignored := user(1).With(values{"lang": "de", "client": 1}), canon.NewIgnored("client")
	var id canon.ID
	var hash uint64
	c.ID(ignored)
	if n := testing.AllocsPerRun(100, func() {
		id, _ = c.ID(ignored)
		hash = id.Hash()
		_ = id.Text()
	}); n != 0 || hash == 0 {
		t.Errorf("a known ID (hash %d) allocates %v times", hash, n)
	}
	if n := testing.AllocsPerRun(100, func() { id, _ = (*canon.Context)(nil).ID(ignored) }); n != 0 {
		t.Errorf("the empty ID allocates %v times", n)
	}
}

func BenchmarkText(b *testing.B) {
	run(b, "string", "base.group_user")
	run(b, "int", 123456)
	run(b, "named int64", id(123456))
	run(b, "uuid", [16]byte{1, 2, 3})
	run(b, "struct", viewKey{Model: "res.partner", ID: 7})
	run[any](b, "any string", "base.group_user")
	run[any](b, "any struct", viewKey{Model: "res.partner", ID: 7})
}

func run[K comparable](b *testing.B, name string, key K) {
	b.Run(name, func(b *testing.B) {
		keys := keysOf[K](b)
		b.ReportAllocs()
		for b.Loop() {
			keys.Text(key)
		}
	})
}

func BenchmarkStable(b *testing.B) {
	b.Run("string", func(b *testing.B) {
		keys := keysOf[string](b)
		for b.Loop() {
			keys.Stable("a")
		}
	})
	b.Run("any int", func(b *testing.B) {
		keys := keysOf[any](b)
		var key any = 1000
		for b.Loop() {
			keys.Stable(key)
		}
	})
	b.Run("any struct", func(b *testing.B) {
		keys := keysOf[any](b)
		var key any = viewKey{}
		for b.Loop() {
			keys.Stable(key)
		}
	})
}

func BenchmarkID(b *testing.B) {
	ignored := canon.NewIgnored("client")
	b.Run("empty", func(b *testing.B) {
		var c *canon.Context
		for b.Loop() {
			c.ID(ignored)
		}
	})
	b.Run("known", func(b *testing.B) {
		c := user(1).With(values{"lang": "de", "company": 1})
		for b.Loop() {
			c.ID(ignored)
		}
	})
	b.Run("known, hash", func(b *testing.B) {
		c := user(1).With(values{"lang": "de", "company": 1})
		sum := uint64(0)
		for b.Loop() {
			id, _ := c.ID(ignored)
			sum += id.Hash()
		}
		if sum == 0 {
			b.Error("no hash")
		}
	})
	b.Run("third set", func(b *testing.B) {
		c := user(1).With(values{"lang": "de", "company": 1})
		c.ID(ignored)
		c.ID(nil)
		c.ID(canon.NewIgnored("x"))
		for b.Loop() {
			c.ID(ignored)
		}
	})
}

func BenchmarkFreeze(b *testing.B) {
	b.Run("user", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			user(1).ID(nil)
		}
	})
	b.Run("user and three values", func(b *testing.B) {
		v := values{"lang": "de", "company": 1, "companies": []int{1, 2}}
		b.ReportAllocs()
		for b.Loop() {
			user(1).With(v).ID(nil)
		}
	})
}
