package txcachetest_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/config"
)

// A Redis of the test's own that is stopped, or answers with errors, costs hits and refuses commits that clear,
// as the page on testing shows. One that has lost everything costs hits alone.
func TestFaultsOfARedisOfTheTestsOwn(t *testing.T) {
	for name, fault := range map[string]struct {
		begin  func(*miniredis.Miniredis)
		refuse bool
	}{
		"stopped": {(*miniredis.Miniredis).Close, true},
		"loading": {func(r *miniredis.Miniredis) { r.SetError("LOADING") }, true},
		"flushed": {(*miniredis.Miniredis).FlushAll, false},
	} {
		t.Run(name, func(t *testing.T) {
			server := miniredis.RunT(t)
			cfg := config.Default()
			cfg.Class, cfg.Redis.URI = config.ClassRedis, "redis://"+server.Addr()
			store, err := txcache.OpenConfig(t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			defer store.Close()
			prices := txcache.Must(txcache.NewCache[string, int](store, "prices", nil))
			price := func(want int, loads uint64) {
				t.Helper()
				before := prices.Stats().Loads
				err := store.View(t.Context(), "shop", func(tx *txcache.Tx) error {
					v, err := prices.Load(t.Context(), tx, "pen", func(context.Context) (int, error) { return 2, nil })
					if v != want {
						t.Errorf("the price is %d, want %d", v, want)
					}
					return err
				})
				if n := prices.Stats().Loads - before; err != nil || n != loads {
					t.Errorf("%d loads, %v; want %d", n, err, loads)
				}
			}
			price(2, 1)
			price(2, 0)
			fault.begin(server)
			price(2, 1)
			ran := false
			tx, err := store.Begin(t.Context(), "shop")
			if err != nil {
				t.Fatal(err)
			}
			if err := prices.Delete(tx, "pen"); err != nil {
				t.Error(err)
			}
			err = tx.CommitWith(t.Context(), func(context.Context) error { ran = true; return nil })
			if errors.Is(err, txcache.ErrUnavailable) != fault.refuse || ran == fault.refuse {
				t.Errorf("CommitWith = %v, and the database's commit ran: %t; want it refused: %t", err, ran, fault.refuse)
			}
		})
	}
}

// A logged test notes its log.
type logged struct {
	testing.TB
	log bytes.Buffer
}

func (l *logged) Output() io.Writer { return &l.log }

// What a store logs is in the log of its test.
func TestStoresLogToTheirTest(t *testing.T) {
	for _, m := range makers {
		t.Run(m.name, func(t *testing.T) {
			told := &logged{TB: t}
			store := m.open(told)
			prices := newPrice(t, store, 0)
			tx, err := store.Begin(t.Context(), "shop")
			if err != nil {
				t.Fatal(err)
			}
			if err := prices.Clear(tx); err != nil {
				t.Fatal(err)
			}
			if err := tx.CommitWith(t.Context(), func(context.Context) error { return errors.New("the answer was lost") }); err == nil {
				t.Error("the commit has not failed")
			}
			if !strings.Contains(told.log.String(), "database=shop") {
				t.Errorf("the log of the test has %q; want that the commit is in doubt", told.log.String())
			}
		})
	}
}
