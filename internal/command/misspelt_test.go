package command

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/internal/redistest"
)

func TestMisspeltNamesAreNotKnown(t *testing.T) {
	w := inWorld(t, onRedis(redistest.Start(t).URI(), ""))
	s := w.serve()
	s.fill(t)
	before := w.must("databases", "--json") + w.must("caches", "shop", "--exact")
	for line, says := range map[string]string{
		"clear shop uesrs":         "no cache called uesrs is known in shop: it was never cleared by name, and the server keeps no value of it; did you mean users?",
		"clear shop lables":        "did you mean labels?", // which was never cleared by name
		"clear shop users nothing": "no cache called nothing is known in shop",
		"clear shpo users":         "no database called shpo is known: the server keeps nothing of it; did you mean shop?",
		"clear shpo --all":         "did you mean shop?",
		"clear elsewhere --all":    "no database called elsewhere is known",
		"delete shop uesrs 42":     "did you mean users?",
		"delete shpo users 42":     "did you mean shop?",
		"clear-tags shpo a":        "did you mean shop?",
		"drop shpo --yes":          "did you mean shop?",
		"get shop uesrs 42":        "did you mean users?",
		"get shpo users 42":        "did you mean shop?",
		"keys shop uesrs":          "did you mean users?",
		"keys shpo users":          "did you mean shop?",
	} {
		out, messages, code := w.run("", strings.Fields(line)...)
		if code != exitFailed || out != "" || !strings.Contains(messages, says) {
			t.Errorf("%s: exit code %d, output %q, messages %q; expected %q", line, code, out, messages, says)
		}
		if (strings.HasPrefix(line, "clear") || strings.HasPrefix(line, "delete")) && !strings.Contains(messages, "--force") {
			t.Errorf("%s: the messages do not tell of --force: %q", line, messages)
		}
	}
	if after := w.must("databases", "--json") + w.must("caches", "shop", "--exact"); after != before {
		t.Errorf("before\n%s\nafter\n%s", before, after)
	}
	w.must("clear", "shop", "users", "labels", "misc")
	w.must("clear", "shop", "uesrs", "--force")
	w.must("clear", "shop", "uesrs") // known from now on
	w.must("clear", "shpo", "--all", "--force")
	w.must("drop", "shpo", "--yes")
	if _, _, code := w.run("", "drop", "shpo", "--yes"); code != exitFailed {
		t.Errorf("a database that is not there is dropped with exit code %d", code)
	}
	w.must("drop", "shpo", "--yes", "--force")
}

// A database whose generations are damaged is listed, so it is known, and a drop mends it.
func TestADamagedDatabaseIsKnown(t *testing.T) {
	server := redistest.Start(t)
	w := inWorld(t, onRedis(server.URI(), ""))
	for _, command := range [][]string{{"drop", "shop", "--yes"}, {"clear", "shop", "--all"}} {
		server.Do("HSET", "txcache:shop:@", "e", "damaged")
		if out := w.must("databases"); !strings.Contains(out, "shop") {
			t.Fatalf("databases lists\n%s", out)
		}
		for _, line := range []string{"get shop users 42", "keys shop users", "clear shop users"} {
			if _, messages, code := w.run("", strings.Fields(line)...); code != exitFailed || strings.Contains(messages, "did you mean shop") {
				t.Errorf("%s: exit code %d, messages %q", line, code, messages)
			}
		}
		w.must(command...)
	}
	w.must("clear", "shop", "users", "--force")
	if out := w.must("caches", "shop"); !strings.Contains(out, "users") {
		t.Errorf("after the clear there is\n%s", out)
	}
}

// priceKey is a key that is a struct.
type priceKey struct {
	Product int
	List    string
}

func TestKeysAreListedAndFound(t *testing.T) {
	w := inWorld(t, onRedis(redistest.Start(t).URI(), ""))
	s := w.serve()
	s.fill(t)
	free := txcache.Must(txcache.NewCache[priceKey, string](s.Store, "prices", &txcache.CacheOptions{ContextFree: true}))
	bound := txcache.Must(txcache.NewCache[priceKey, string](s.Store, "offers", nil))
	long := strings.Repeat("a long key: ", 9)
	err := s.View(t.Context(), "shop", func(tx *txcache.Tx) error {
		for i := range 30 {
			free.Set(tx, priceKey{i, "retail"}, "a price")
		}
		for user := range 3 {
			bound.Set(tx.WithUser(user), priceKey{1, "retail"}, "an offer")
		}
		s.labels.Set(tx.WithUser(1), long, "a long label")
		s.labels.Set(tx.WithUser(1), long[:60], "a label")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	list := func(args ...string) (r keysResult) {
		t.Helper()
		if err := json.Unmarshal([]byte(w.must(append(args, "--json")...)), &r); err != nil {
			t.Fatal(err)
		}
		return r
	}
	if r := list("keys", "shop", "users"); len(r.Keys) != 2 || r.Keys[0] != (keyResult{"i64.42", "int64", 1}) || r.More {
		t.Errorf("users has the keys %+v", r)
	}
	if r := list("keys", "shop", "offers"); len(r.Keys) != 1 || r.Keys[0] != (keyResult{bound.KeyText(priceKey{1, "retail"}), "struct or array, as a digest", 3}) {
		t.Errorf("offers has the keys %+v", r)
	}
	// Page by page there are all of them, each once, in order.
	var pages []string
	for after := ""; ; {
		r := list("keys", "shop", "prices", "--limit", "7", "--after", after)
		for _, k := range r.Keys {
			pages = append(pages, k.Key)
		}
		if !r.More {
			break
		}
		if len(r.Keys) != 7 {
			t.Fatalf("a page has %d keys", len(r.Keys))
		}
		after = r.Keys[6].Key
	}
	all := list("keys", "shop", "prices", "--limit", "30")
	if len(pages) != 30 || len(all.Keys) != 30 || all.More {
		t.Fatalf("%d keys in pages, %d in one", len(pages), len(all.Keys))
	}
	for i, k := range all.Keys {
		if pages[i] != k.Key || i > 0 && pages[i-1] >= k.Key {
			t.Errorf("key %d is %s in pages, %s in one", i, pages[i], k.Key)
		}
	}
	// Each that is listed is found, and so is the one whose form the service tells.
	for _, cache := range []string{"users", "labels", "misc", "prices", "offers"} {
		for _, k := range list("keys", "shop", cache).Keys {
			var r struct{ Matched int }
			if err := json.Unmarshal([]byte(w.must("get", "shop", cache, k.Key, "--json")), &r); err != nil || r.Matched != k.Values {
				t.Errorf("get %s %s finds %d values of %d (%v)", cache, k.Key, r.Matched, k.Values, err)
			}
		}
	}
	w.shows("a price", "get", "shop", "prices", free.KeyText(priceKey{29, "retail"}))
	if _, messages, code := w.run("", "get", "shop", "prices", `{"Product":1,"List":"retail"}`); code != exitFailed || !strings.Contains(messages, "KeyText") {
		t.Errorf("a struct: exit code %d, messages %q", code, messages)
	}
	w.shows("struct or array, as a digest", "keys", "shop", "prices")
	w.shows("to go on, give --after", "keys", "shop", "prices", "--limit", "3")
	w.must("clear", "shop", "prices")
	w.shows("It has no keys here.", "keys", "shop", "prices")
	if _, messages, code := w.run("", "keys", "shop", "users", "--limit", "0"); code != exitUsage || !strings.Contains(messages, "--limit") {
		t.Errorf("exit code %d, messages %q", code, messages)
	}
}

func TestCompletionOffersNames(t *testing.T) {
	server := redistest.Start(t)
	w := inWorld(t, onRedis(server.URI(), ""))
	w.serve().fill(t)
	for line, want := range map[string]string{
		"caches ": "shop", "clear ": "shop", "drop s": "shop", "get ": "shop", "keys ": "shop", "watch sh": "shop", "caches x": "",
		"clear shop ": "labels misc users", "clear shop users ": "labels misc", "clear shop users m": "misc", "get shop u": "users", "keys shop ": "labels misc users",
		"delete ": "shop", "delete shop ": "labels misc users", "delete shop users ": "", "clear-tags ": "shop", "clear-tags shop ": "", "get shop users ": "", "drop shop ": "", "clear nowhere ": "", "check ": "",
	} {
		args := append([]string{"__complete"}, strings.Split(line, " ")...)
		out, _, code := w.run("", args...)
		lines := strings.Split(strings.TrimSpace(out), "\n")
		if got := strings.Join(lines[:len(lines)-1], " "); code != exitOK || got != want || !strings.HasPrefix(lines[len(lines)-1], ":") {
			t.Errorf("%q is completed with %q (exit code %d); expected %q", line, got, code, want)
		}
	}
	server.Kill()
	if out, _, code := w.run("", "__complete", "caches", ""); code != exitOK || strings.Contains(out, "shop") {
		t.Errorf("without a server: exit code %d, %q", code, out)
	}
}
