package enlisted_test

import (
	"context"
	"errors"
	"testing"

	"github.com/seed-dad15c92/txcache"
)

// As TestWhoClearsATagReadsItsOwnRow, with an absence that others know. The row was inserted, and its key
// deleted, since the writer began, which has then overwritten it.
func TestWhoClearsATagReadsItsOwnRowThatWasAbsent(t *testing.T) {
	for name, exact := range map[string]bool{"an exact one has learnt of the absence": true, "one at read committed": false} {
		t.Run(name, func(t *testing.T) {
			db, s, c := tagged(t, txcache.CacheOptions{})
			q := db.Begin(true)
			q.Put("x", 0)
			q.Commit()
			q = db.Begin(exact)
			load := func(tx *txcache.Tx, get func(string) (int64, error)) (int, error) {
				return c.Load(t.Context(), tx, "x", func(context.Context) (int, error) {
					v, err := get("x")
					if v == 0 && err == nil {
						err = txcache.ErrAbsent
					}
					return int(v), err
				})
			}
			if v, err := load(enlistAt(t, s, q), q.Get); !errors.Is(err, txcache.ErrAbsent) {
				t.Fatalf("loaded %d, %v", v, err)
			}
			w := db.Begin(false)
			tx := enlist(t, s, w, false)

			other := db.Begin(true)
			insert := enlist(t, s, other, false)
			other.Put("x", 2)
			if err := c.Delete(insert, "x"); err != nil {
				t.Fatal(err)
			}
			if err := insert.CommitWith(t.Context(), func(context.Context) error { return other.Commit() }); err != nil {
				t.Fatal(err)
			}

			w.Put("x", 3)
			if err := tx.ClearTags("author 2"); err != nil {
				t.Fatal(err)
			}
			if v, err := load(tx, w.Get); v != 3 || err != nil {
				t.Errorf("the writer reads %d, %v, its own row is 3", v, err)
			}
		})
	}
}
