package command

import (
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/internal/redistest"
)

// P11: what delete names goes in services that run, in every user context, and nothing
// else; and so does what bears a tag that clear-tags names.
func TestDeleteReachesServices(t *testing.T) {
	w := inWorld(t, onRedis(redistest.Start(t).URI(), ""))
	services := []*service{w.serve(), w.serve()}
	var prices []*txcache.Cache[priceKey, string]
	var hosts []*txcache.Cache[netip.Addr, string]
	for _, s := range services {
		prices = append(prices, txcache.Must(txcache.NewCache[priceKey, string](s.Store, "prices", nil)))
		hosts = append(hosts, txcache.Must(txcache.NewCache[netip.Addr, string](s.Store, "hosts", nil)))
		s.users.TagBy(func(_ int64, u user) []string { return []string{"name:" + u.Name} })
		s.labels.TagBy(func(_, label string) []string { return []string{"label:" + label} })
	}
	long := strings.Repeat("long ", 30)
	retail, host := priceKey{1, "retail"}, netip.MustParseAddr("::1")
	bob := ada
	bob.Name = "Bob"
	in := func(s *service, fn func(tx *txcache.Tx)) {
		t.Helper()
		if err := s.View(t.Context(), "shop", func(tx *txcache.Tx) error { fn(tx); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	fill := func() {
		t.Helper()
		for i, s := range services {
			in(s, func(tx *txcache.Tx) {
				s.users.Set(tx, 42, ada)
				s.users.Set(tx, 43, bob)
				prices[i].Set(tx.WithUser(1), retail, "a price")
				hosts[i].Set(tx, host, "here")
				for _, as := range []*txcache.Tx{tx, tx.WithUser(1)} {
					for _, key := range []string{"42", "save", long, long[:60]} {
						s.labels.Set(as, key, "Save")
					}
				}
			})
		}
	}
	// kept returns which of these values each service finds, if all find the same.
	kept := func() string {
		t.Helper()
		var each []string
		for i, s := range services {
			var list []string
			add := func(name string, there bool) {
				if there {
					list = append(list, name)
				}
			}
			in(s, func(tx *txcache.Tx) {
				ctx := t.Context()
				_, ok := s.users.Get(ctx, tx, 42)
				add("42", ok)
				_, ok = s.users.Get(ctx, tx, 43)
				add("43", ok)
				_, ok = prices[i].Get(ctx, tx.WithUser(1), retail)
				add("price", ok)
				_, ok = hosts[i].Get(ctx, tx, host)
				add("host", ok)
				for name, key := range map[string]string{"label 42": "42"} {
					_, ok = s.labels.Get(ctx, tx, key)
					add(name, ok)
				}
				for _, label := range []struct{ name, key string }{{"save", "save"}, {"long", long}, {"middling", long[:60]}} {
					for _, as := range []struct {
						name string
						*txcache.Tx
					}{{label.name, tx}, {label.name + " of 1", tx.WithUser(1)}} {
						_, ok = s.labels.Get(ctx, as.Tx, label.key)
						add(as.name, ok)
					}
				}
			})
			each = append(each, strings.Join(list, ", "))
		}
		if each[0] != each[1] {
			t.Errorf("one service finds %s; another one %s", each[0], each[1])
		}
		return each[0]
	}
	const all = "42, 43, price, host, label 42, save, save of 1, long, long of 1, middling, middling of 1"
	without := func(names ...string) string {
		var list []string
		for _, name := range strings.Split(all, ", ") {
			gone := false
			for _, n := range names {
				gone = gone || n == name
			}
			if !gone {
				list = append(list, name)
			}
		}
		return strings.Join(list, ", ")
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"delete", "shop", "users", "42"}, without("42")},
		{[]string{"delete", "shop", "users", "i64.42", "i64.43"}, without("42", "43")},
		{[]string{"delete", "shop", "users", "i.42"}, all}, // of another type
		{[]string{"delete", "shop", "labels", "42"}, without("label 42")},
		{[]string{"delete", "shop", "labels", "s.save"}, without("save", "save of 1")},
		{[]string{"delete", "shop", "labels", long}, without("long", "long of 1")},
		{[]string{"delete", "shop", "labels", services[0].labels.KeyText(long)}, without("long", "long of 1")},
		{[]string{"delete", "shop", "labels", long[:60]}, without("middling", "middling of 1")},
		{[]string{"delete", "shop", "prices", prices[0].KeyText(retail)}, without("price")},
		{[]string{"delete", "shop", "hosts", "::1"}, without("host")},
		{[]string{"clear-tags", "shop", "name:Ada", "name:nobody"}, without("42")},
		{[]string{"clear-tags", "shop", "label:Save"}, without("label 42", "save", "save of 1", "long", "long of 1", "middling", "middling of 1")},
	} {
		fill()
		if got := kept(); got != all {
			t.Fatalf("before %q there is %s", c.args, got)
		}
		w.must(c.args...)
		if got := kept(); got != c.want {
			t.Errorf("after %q there is %s; want %s", c.args, got, c.want)
		}
	}
}

// What the command shows of a value says whether services use it.
func TestGetTellsOfADelete(t *testing.T) {
	w := inWorld(t, onRedis(redistest.Start(t).URI(), ""))
	s := w.serve()
	s.fill(t)
	type value struct {
		Fill            uint64
		Deleted, Fenced bool
	}
	get := func(key string) value {
		t.Helper()
		var r struct{ Values []value }
		if err := json.Unmarshal([]byte(w.must("get", "shop", "users", key, "--json")), &r); err != nil || len(r.Values) != 1 {
			t.Fatalf("%v: %+v", err, r)
		}
		return r.Values[0]
	}
	if v := get("42"); v.Deleted || v.Fenced || v.Fill == 0 {
		t.Errorf("a value that was just filled is %+v", v)
	}
	w.must("delete", "shop", "users", "42")
	if v := get("42"); !v.Deleted {
		t.Errorf("a value whose key was deleted is %+v", v)
	}
	if v := get("43"); v.Deleted {
		t.Errorf("a value of another key is %+v", v)
	}
	before := get("42").Fill
	if err := s.View(t.Context(), "shop", func(tx *txcache.Tx) error { s.users.Set(tx, 42, ada); return nil }); err != nil {
		t.Fatal(err)
	}
	if v := get("42"); v.Deleted || v.Fill <= before {
		t.Errorf("a value that was filled again, after %d, is %+v", before, v)
	}
	tx, err := s.Begin(t.Context(), "shop")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.users.Delete(tx, 42); err != nil {
		t.Fatal(err)
	}
	refused := errors.New("refused")
	if err := tx.CommitWith(t.Context(), func(context.Context) error {
		if v := get("42"); v.Deleted || !v.Fenced {
			t.Errorf("a value whose key is fenced is %+v", v)
		}
		if v := get("43"); v.Fenced {
			t.Errorf("a value of another key is %+v", v)
		}
		w.shows("1 key of users", "caches", "shop")
		return txcache.NotCommitted(refused)
	}); !errors.Is(err, refused) {
		t.Fatal(err)
	}
	w.shows("deleted since", "get", "shop", "users", "42") // a needless delete is a miss
}

func TestDeleteRefusesWhatNamesNoKey(t *testing.T) {
	w := inWorld(t, onRedis(redistest.Start(t).URI(), ""))
	s := w.serve()
	s.fill(t)
	if err := s.View(t.Context(), "shop", func(tx *txcache.Tx) error {
		s.labels.Set(tx.WithUser(1), strings.Repeat("a long key: ", 5), "a long label")
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	var listed keysResult
	if err := json.Unmarshal([]byte(w.must("keys", "shop", "labels", "--json")), &listed); err != nil || !strings.HasPrefix(listed.Keys[0].Key, "!") {
		t.Fatalf("%v: %+v", err, listed)
	}
	for says, args := range map[string][]string{
		"Cache.KeyText":    {"delete", "shop", "labels", listed.Keys[0].Key},
		"cannot be empty":  {"delete", "shop", "", "42"},
		"at least 3 arg":   {"delete", "shop", "users"},
		"cannot be empty ": {"clear-tags", "", "a"},
		"at least 2 arg":   {"clear-tags", "shop"},
	} {
		_, messages, code := w.run("", args...)
		if code != exitUsage || !strings.Contains(messages, strings.TrimSpace(says)) {
			t.Errorf("%q: exit code %d, messages %q; want %q", args, code, messages, says)
		}
	}
	w.must("delete", "shop", "nothing", "42", "--force")
	w.must("delete", "shop", "nothing", "43") // known from now on
	w.must("clear-tags", "nowhere", "a", "--force")
}
