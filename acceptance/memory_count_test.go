package acceptance_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/internal/storetest"
	"github.com/seed-dad15c92/txcache/memorybackend"
)

// What counts is what the process keeps for others: databases, values with their keys, and known absences.
// What a transaction keeps to itself does not.
func TestWhatCountsAsMemory(t *testing.T) {
	const n = 1000
	store := storetest.NewStore(t, memorybackend.New(), txcache.Options{Size: 10 * n})
	c := storetest.NewCache[string, string](t, store, "c", txcache.CacheOptions{})
	counted := int64(0)
	grown := func() int64 {
		before := counted
		counted = store.Status().Memory
		return counted - before
	}
	for i := range n {
		storetest.Commit(t, storetest.BeginReadOnly(t, store, fmt.Sprint("database", i)))
	}
	if each := grown() / n; each < 1500 || each > 2500 {
		t.Errorf("a database that was used counts for %d bytes", each)
	}
	text := strings.Repeat("x", 500)
	tx := storetest.Begin(t, store, "shop")
	c.Set(tx, "first", text)
	grown()
	for i := range n {
		c.Set(tx, fmt.Sprint(text, i), text)
	}
	if all := grown(); all != 0 {
		t.Errorf("what a transaction keeps to itself counts for %d bytes", all)
	}
	storetest.Commit(t, tx)
	if each := grown() / n; each < 1000 || each > 1500 {
		t.Errorf("a value and its key, of 500 bytes each, count for %d bytes", each)
	}
	tx = storetest.BeginReadOnly(t, store, "shop")
	for i := range n {
		c.SetAbsent(tx, fmt.Sprint("absent", text, i))
	}
	storetest.Commit(t, tx)
	if each := grown() / n; each < 500 || each > 1000 {
		t.Errorf("the absence of a key of 500 bytes counts for %d bytes", each)
	}
}

// Where the estimate sees too little or too much, a value is as large as WeighBy says: it is asked once for
// each value that is kept.
func TestWeighBySaysHowLargeAValueIs(t *testing.T) {
	const n, length = 100, 10_000
	type user struct {
		sync.Mutex
		Picture []byte
	}
	picture := make([]byte, length)
	for what, w := range map[string]struct {
		make        func() *user
		weigh       func(int, *user) int
		least, most int64
	}{
		"a value with a lock is not looked into": {func() *user { return &user{Picture: make([]byte, length)} }, nil, 0, 500},
		"so it is weighed":                       {func() *user { return &user{Picture: make([]byte, length)} }, func(_ int, u *user) int { return len(u.Picture) }, length * 9 / 10, length * 11 / 10},
		"what is shared counts once":             {func() *user { return &user{Picture: picture} }, func(int, *user) int { return 0 }, 0, 500},
		"nothing is lighter than nothing":        {func() *user { return &user{} }, func(int, *user) int { return -length }, 0, 500},
	} {
		store := storetest.NewStore(t, memorybackend.New(), txcache.Options{})
		c := storetest.NewCache[int, *user](t, store, "users", txcache.CacheOptions{})
		weighed := 0
		if w.weigh != nil {
			c.WeighBy(func(id int, u *user) int { weighed++; return w.weigh(id, u) })
		}
		tx := storetest.BeginReadOnly(t, store, "shop")
		for id := range n {
			c.Set(tx, id, w.make())
			c.Get(t.Context(), tx, id)
		}
		if each := c.Stats().Bytes / n; each < w.least || each > w.most {
			t.Errorf("%s: %d bytes each, want %d to %d", what, each, w.least, w.most)
		}
		if w.weigh != nil && weighed != n {
			t.Errorf("%s: %d values were weighed %d times", what, n, weighed)
		}
		storetest.Commit(t, tx)
	}
}

// What values share counts for each of them, as the estimate does not know of the others.
func TestWhatValuesShareCountsForEach(t *testing.T) {
	const n, length = 100, 10_000
	store := storetest.NewStore(t, memorybackend.New(), txcache.Options{})
	c := storetest.NewCache[int, []byte](t, store, "pictures", txcache.CacheOptions{})
	shared := make([]byte, length)
	tx := storetest.BeginReadOnly(t, store, "shop")
	for id := range n {
		c.Set(tx, id, shared)
	}
	if each := c.Stats().Bytes / n; each < length*9/10 {
		t.Errorf("%d bytes each, of %d that all of them share", each, length)
	}
	storetest.Commit(t, tx)
}
