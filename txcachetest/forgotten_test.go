package txcachetest_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/txcachetest"
)

// A shop whose prices are cached, with the clears that its writer does.
func writePrice(t *testing.T, store *txcache.Store, database string, clear func(*txcache.Tx) error) {
	t.Helper()
	if err := store.Update(t.Context(), database, clear); err != nil {
		t.Fatal(err)
	}
}

func TestDetectForgottenClears(t *testing.T) {
	for _, open := range []struct {
		name string
		open func(testing.TB) *txcache.Store
	}{{"memory", txcachetest.Memory}, {"redis", txcachetest.Redis}} {
		for name, test := range map[string]struct {
			many   bool
			writer string // whose cache it clears
			clears bool
			want   bool
		}{
			"no clear":                   {writer: "shop", want: true},
			"no clear, LoadMany":         {writer: "shop", many: true, want: true},
			"a clear":                    {writer: "shop", clears: true},
			"a clear, LoadMany":          {writer: "shop", clears: true, many: true},
			"a clear in another's place": {writer: "shpo", clears: true, want: true},
		} {
			for _, late := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, %s, cache made later: %v", open.name, name, late), func(t *testing.T) {
					store := open.open(t)
					told := &recorder{TB: t}
					if late {
						txcachetest.DetectForgottenClears(told, store)
					}
					prices := txcache.Must(txcache.NewCache[string, int](store, "prices", nil))
					if !late {
						txcachetest.DetectForgottenClears(told, store)
					}
					txcachetest.DetectForgottenClears(told, store) // does nothing
					row := 10
					read := func() {
						err := store.View(t.Context(), "shop", func(tx *txcache.Tx) error {
							if test.many {
								_, err := prices.LoadMany(t.Context(), tx, []string{"book"}, func(context.Context, []string) (map[string]int, error) {
									return map[string]int{"book": row}, nil
								})
								return err
							}
							_, err := prices.Load(t.Context(), tx, "book", func(context.Context) (int, error) { return row, nil })
							return err
						})
						if err != nil {
							t.Fatal(err)
						}
					}
					read()
					read()
					row = 12
					writePrice(t, store, test.writer, func(tx *txcache.Tx) error {
						if test.clears {
							return prices.Clear(tx)
						}
						return nil
					})
					read()
					read()
					failures := told.end()
					got := strings.Join(failures, "\n")
					if failed := len(failures) > 0; failed != test.want {
						t.Errorf("reported %q; want a report: %v", got, test.want)
					}
					for _, part := range []string{`"shop"`, `"prices"`, `"book"`, "cached 10", "loaded 12"} {
						if test.want && !strings.Contains(got, part) {
							t.Errorf("reported %q; want %s in it", got, part)
						}
					}
				})
			}
		}
	}
}
