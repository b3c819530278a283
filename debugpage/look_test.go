package debugpage_test

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/debugpage"
	"github.com/seed-dad15c92/txcache/txcachetest"
)

// lines returns the large line over time that a page has.
func lines(t *testing.T, page string) string {
	t.Helper()
	m := regexp.MustCompile(`(?s)class="spark".*?<path d="([^"]*)"`).FindStringSubmatch(page)
	if m == nil {
		t.Fatal("the page has no line")
	}
	return m[1]
}

func TestFirstLookCollects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := txcachetest.Memory(t)
		cache := txcache.Must(txcache.NewCache[int, string](store, "users", nil))
		fill(t, store, cache, "shop", 3)
		h := debugpage.Handler(store, nil)
		page := get(t, h, "").Body.String()
		if n := strings.Count(page, "collecting…"); n != 3 || lines(t, page) != "" { // two tiles, one row
			t.Errorf("the first look says %d times that it collects, and draws %q", n, lines(t, page))
		}
		time.Sleep(2 * time.Second)
		fill(t, store, cache, "shop", 3)
		page = get(t, h, "").Body.String()
		if strings.Contains(page, "collecting…") {
			t.Error("the second look still collects")
		}
		// What has no length cannot be seen.
		if line := lines(t, page); !regexp.MustCompile(`^M[0-9.]+ [0-9.]+h[1-9][0-9.]*$`).MatchString(line) {
			t.Errorf("one sample is drawn as %q", line)
		}
	})
}

func TestLineIsBrokenWhereNobodyLooked(t *testing.T) {
	for name, every := range map[string]time.Duration{"live": 2 * time.Second, "reloaded by hand": 20 * time.Second} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store := txcachetest.Memory(t)
				cache := txcache.Must(txcache.NewCache[int, string](store, "users", nil))
				h := debugpage.Handler(store, nil)
				look := func(n int) string {
					for range n {
						fill(t, store, cache, "shop", 1)
						time.Sleep(every)
						get(t, h, "")
					}
					return lines(t, get(t, h, "").Body.String())
				}
				look(1)
				if line := look(5); strings.Count(line, "M") != 1 || strings.Count(line, "L") != 5 && strings.Count(line, "L") != 4 {
					t.Errorf("while somebody looks the line is %q", line)
				}
				time.Sleep(100 * time.Second)
				if line := look(4); strings.Count(line, "M") != 2 {
					t.Errorf("after a pause the line is %q", line)
				}
			})
		})
	}
}

func TestLastClearIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := txcachetest.Memory(t)
		cache := txcache.Must(txcache.NewCache[int, string](store, "users", nil))
		h := debugpage.Handler(store, nil)
		if err := store.Update(t.Context(), "shop", cache.Clear); err != nil {
			t.Fatal(err)
		}
		fill(t, store, cache, "shop", 1)
		for _, c := range []struct {
			wait time.Duration
			says string
		}{{0, "just now"}, {12 * time.Second, "12\u202fs ago"}, {2 * time.Minute, "2\u202fmin ago"}, {3 * time.Hour, "3\u202fh ago"}, {49 * time.Hour, "2\u202fd ago"}} {
			time.Sleep(c.wait)
			for _, path := range []string{"", "?database=shop"} {
				if page := get(t, h, path).Body.String(); strings.Count(page, "cleared "+c.says) != 1+len(path)/len("?database=shop") {
					t.Errorf("after %v, %q does not say %q", c.wait, path, c.says)
				}
			}
		}
	})
}

// A token that is not of backend.NewToken tells no time.
func TestTokensOfOthersTellNoTime(t *testing.T) {
	for token, tells := range map[backend.Token]bool{
		backend.NewToken(): true, backend.NewToken() + ".7": true, "": false, "7": false, "0000000000000000000000000a": false,
		"vvvvvvvvvvvvvvvvvvvvvvvvvs": false, "a-token-of-a-backend-of-26-": false, backend.Token(strconv.Itoa(1 << 40)): false,
	} {
		if got := debugpage.Cleared(token, time.Now()); (got != "") != tells {
			t.Errorf("%q: %q", token, got)
		}
	}
}
