package acceptance_test

import (
	"errors"
	"maps"
	"math/rand/v2"
	"testing"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/internal/storetest"
)

var errUndo = errors.New("undo")

// However much is set and cleared within a savepoint, what it keeps to undo that is
// about as much as there is. (P10)
func TestWhatASavepointKeepsIsBounded(t *testing.T) {
	const n = 200_000
	for name, work := range map[string]func(tx *txcache.Tx, c *txcache.Cache[int, int]){
		"values": func(tx *txcache.Tx, c *txcache.Cache[int, int]) {
			for k := range n {
				c.Set(tx, k, k)
			}
		},
		"clears": func(tx *txcache.Tx, c *txcache.Cache[int, int]) {
			for k := range n {
				c.Set(tx, k, k)
				if k%50 == 0 {
					storetest.Clear(t, tx, c)
				}
			}
		},
		"clears of all": func(tx *txcache.Tx, c *txcache.Cache[int, int]) {
			for k := range n {
				c.Set(tx, k, k)
				if k%50 == 0 {
					if err := tx.ClearAll(); err != nil {
						t.Fatal(err)
					}
				}
			}
		},
		"savepoints": func(tx *txcache.Tx, c *txcache.Cache[int, int]) {
			for range n / 10 {
				_ = tx.Savepoint(func(tx *txcache.Tx) error {
					for k := range 10 {
						c.Set(tx, k, k)
					}
					return nil
				})
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			store := storetest.Setups[0].Open(t, 1, txcache.Options{Size: 100, OverlaySize: 100})[0]
			c := storetest.NewCache[int, int](t, store, "c", txcache.CacheOptions{})
			tx := storetest.Begin(t, store, "db")
			_ = tx.Savepoint(func(tx *txcache.Tx) error {
				before := storetest.Heap()
				work(tx, c)
				if kept := int64(storetest.Heap()) - int64(before); kept > 6<<20 {
					t.Errorf("the savepoint keeps %d kB for a cache of 100", kept>>10)
				}
				return errUndo
			})
			for k := range 100 {
				storetest.Miss(t, tx, c, k, "it was undone")
			}
			c.Set(tx, 1, 1)
			storetest.Hit(t, tx, c, 1, 1, "the transaction goes on")
		})
	}
}

// A savepoint that has set too much to be undone piece by piece is undone all the
// same: no value of it is read, and no value of others where the transaction had
// one of its own.
func TestSavepointsThatKeepTooMuch(t *testing.T) {
	for seed := range uint64(4) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		store := storetest.Setups[0].Open(t, 1, txcache.Options{Size: 100, OverlaySize: 100})[0]
		c := storetest.NewCache[int, int](t, store, "c", txcache.CacheOptions{})
		const keys = 40
		for k := range keys {
			storetest.Publish(t, store, "db", c, k, -k-1)
		}
		tx := storetest.Begin(t, store, "db")
		own, cleared, unique := map[int]int{}, false, 0
		check := func() {
			for k := range keys {
				v, ok := c.Get(t.Context(), tx, k)
				mine, is := own[k]
				switch {
				case !ok: // it may have had to make room
				case is && v != mine:
					t.Fatalf("seed %d: %d is read under %d, the transaction has set %d", seed, v, k, mine)
				case !is && (cleared || v != -k-1):
					t.Fatalf("seed %d: %d is read under %d, where the transaction has nothing of its own", seed, v, k)
				}
			}
		}
		var savepoint func(depth int)
		savepoint = func(depth int) {
			wasOwn, wasCleared := maps.Clone(own), cleared
			err := tx.Savepoint(func(*txcache.Tx) error {
				for range 1 + rnd.IntN(5) {
					switch rnd.IntN(4) {
					case 0:
						for k := range rnd.IntN(30_000) { // others come and go
							c.Set(tx, 1000+k, k)
						}
					case 1:
						for range 20 {
							k := rnd.IntN(keys)
							unique++
							own[k] = unique
							c.Set(tx, k, unique)
						}
					case 2:
						if rnd.IntN(4) == 0 {
							storetest.Clear(t, tx, c)
							clear(own)
							cleared = true
						}
					case 3:
						if depth < 4 {
							savepoint(depth + 1)
						}
					}
					check()
				}
				if rnd.IntN(2) == 0 {
					return errUndo
				}
				return nil
			})
			if err != nil {
				own, cleared = wasOwn, wasCleared
			}
			check()
		}
		for range 6 {
			unique++
			own[1] = unique
			c.Set(tx, 1, unique)
			savepoint(0)
		}
		storetest.Commit(t, tx)
	}
}

// So it is where nothing had to make room: what the transaction had set before is
// lost with it, and uncovers nothing of others.
func TestALostSavepointUncoversNothing(t *testing.T) {
	for _, s := range []storetest.Setup{storetest.Setups[0], storetest.Setups[1]} {
		store := s.One(t)
		c := storetest.NewCache[string, int](t, store, "c", txcache.CacheOptions{})
		for _, k := range []string{"own", "within", "other"} {
			storetest.Publish(t, store, "db", c, k, 1)
		}
		tx := storetest.Begin(t, store, "db")
		c.Set(tx, "own", 2)
		_ = tx.Savepoint(func(tx *txcache.Tx) error {
			for i := range 20_000 {
				_ = tx.Savepoint(func(tx *txcache.Tx) error { c.Set(tx, "within", i); return nil })
			}
			storetest.Hit(t, tx, c, "within", 19_999, "it was set last")
			storetest.Hit(t, tx, c, "own", 2, "it was set before")
			storetest.Hit(t, tx, c, "other", 1, "others have set it")
			return errUndo
		})
		for _, k := range []string{"own", "within", "other"} {
			storetest.Miss(t, tx, c, k, "the savepoint had too much to keep")
		}
		storetest.Commit(t, tx)
		storetest.Hit(t, storetest.Begin(t, store, "db"), c, "within", 1, "what was undone is not published")
	}
}
