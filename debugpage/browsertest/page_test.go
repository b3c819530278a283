package browsertest

import (
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/debugpage"

	"github.com/seed-dad15c92/txcache/txcachetest"
)

// each runs a test on a store in memory and on one over Redis.
func each(t *testing.T, test func(*testing.T, *txcache.Store)) {
	t.Run("memory", func(t *testing.T) { test(t, txcachetest.Memory(t)) })
	t.Run("redis", func(t *testing.T) { test(t, txcachetest.Redis(t)) })
}

const (
	rowNames = `[...document.querySelectorAll("table.caches tbody th")].map(e => e.textContent)`
	fits     = `document.documentElement.scrollWidth <= document.documentElement.clientWidth`
)

// figure returns the expression for what a column has for a cache.
func figure(cache, column string) string {
	return `[...document.querySelectorAll("table.caches tbody tr")].find(e => e.querySelector("th").textContent === ` +
		strconv.Quote(cache) + `).querySelector("td.` + column + ` data").value`
}

func TestFiguresAreThoseOfTheStoreAndLive(t *testing.T) {
	each(t, func(t *testing.T, store *txcache.Store) {
		tab := newTab(t)
		caches := busy(t, store)
		tab.view(1440, 900, "light")
		tab.do(chromedp.Navigate(serve(t, store, nil)))
		compare := func() {
			t.Helper()
			for s := range store.Stats() {
				for column, want := range map[string]uint64{
					"hits": s.Hits, "misses": s.Misses, "remote": s.RemoteHits, "bypassed": s.Bypassed, "loads": s.Loads,
					"load_errors": s.LoadErrors, "clears": s.Clears, "evictions": s.Evictions, "values": uint64(s.Values),
				} {
					if got := tab.text(figure(s.Name, column)); got != strconv.FormatUint(want, 10) {
						t.Errorf("%s of %s: the page has %s, the store %d", column, s.Name, got, want)
					}
				}
			}
		}
		compare()

		use(t, store, caches, "shop-00", 40)
		s := caches[0].Stats()
		tab.await(figure(s.Name, "hits") + ` === "` + strconv.FormatUint(s.Hits, 10) + `"`)
		compare()
		tab.await(`document.querySelector("#now data").value > 0`)
		tab.await(`document.querySelector("#overview .spark path").getAttribute("d") !== ""`)
	})
}

func TestCachesAreSortedAndSearched(t *testing.T) {
	tab := newTab(t)
	store := txcachetest.Memory(t)
	busy(t, store)
	tab.view(1440, 900, "dark")
	tab.do(chromedp.Navigate(serve(t, store, nil)))
	names := func() string { return rowNames + `.join("|")` }

	tab.do(chromedp.Click(`//thead//a[text()="Cache"]`))
	tab.await(names() + ` === ` + rowNames + `.toSorted().join("|") && new URLSearchParams(location.search).get("sort") === "name"`)
	tab.do(chromedp.Click(`//thead//a[text()="Cache"]`))
	tab.await(names() + ` === ` + rowNames + `.toSorted().reverse().join("|")`)
	if got := tab.text(`document.querySelector("th[aria-sort=descending]").textContent`); got != "Cache" {
		t.Errorf("the table says that it is sorted by %s", got)
	}
	tab.do(chromedp.Click(`//thead//a[text()="Misses"]`))
	tab.await(`[...document.querySelectorAll("table.caches td.misses data")].every((e, i, all) => !i || Number(e.value) <= Number(all[i-1].value))`)

	tab.do(chromedp.SendKeys(`input[type=search][name=caches]`, "RES."))
	tab.await(rowNames + `.toSorted().join("|") === "res.company|res.currency.rate"`)
	if got := tab.text(`document.activeElement.name`); got != "caches" {
		t.Errorf("the focus went from the search to %q", got)
	}
	tab.do(chromedp.SendKeys(`input[type=search][name=databases]`, "-03"))
	tab.await(`document.querySelectorAll("#databases > table tbody tr").length === 1`)
	if got := tab.text(rowNames + ".length"); got != "2" {
		t.Errorf("the search for databases shows %s caches; want the 2 that were searched for", got)
	}

	tab.do(chromedp.Click("#live"))
	if got := tab.text(`document.querySelector("#live").getAttribute("aria-pressed")`); got != "false" {
		t.Errorf("after a click on Live, it is %s", got)
	}
}

func TestActionsNeedConfirmation(t *testing.T) {
	each(t, func(t *testing.T, store *txcache.Store) {
		tab := newTab(t)
		busy(t, store)
		held := func(database, cache string) int {
			for db := range store.Databases() {
				for _, c := range db.Caches {
					if db.Name == database && c.Name == cache {
						return c.Values
					}
				}
			}
			return 0
		}
		address := serve(t, store, &debugpage.Options{Actions: true})
		tab.view(375, 812, "light")
		tab.do(
			chromedp.Navigate(address),
			chromedp.Click(`//section[@id="databases"]//a[bdi="shop-03"]`),
		)
		tab.await(`document.querySelector("#database-title")?.textContent === "shop-03"`)
		if held("shop-03", hostile) == 0 || held("shop-03", names[4]) == 0 {
			t.Fatal("there is nothing to clear")
		}
		tab.do(
			chromedp.Click(`//section[@id="database"]//tr[th/bdi[contains(., "alert")]]//a`),
			chromedp.WaitVisible(`form[action=action]`),
		)
		if got := tab.text(`document.querySelector("h1").textContent`); got != "Clear "+hostile+" in database shop-03?" {
			t.Errorf("the page asks %q", got)
		}
		if held("shop-03", hostile) == 0 {
			t.Error("the cache was cleared before it was confirmed")
		}
		tab.do(chromedp.Click(`button.danger`), chromedp.WaitVisible(`#results .good`))
		if n := held("shop-03", hostile); n != 0 {
			t.Errorf("the cache has %d values after it was cleared", n)
		}
		if held("shop-03", names[4]) == 0 || held("shop-04", hostile) == 0 {
			t.Error("something else was cleared as well")
		}

		drop := address + "confirm?" + url.Values{"do": {"drop"}, "database": {"shop-03"}}.Encode()
		tab.do(chromedp.Navigate(drop), chromedp.Click(`button.danger`))
		if got := tab.text(`document.querySelector("input[name=typed]").validity.valueMissing`); got != "true" || store.Status().Drops > 0 {
			t.Error("the database can be dropped without its name being typed")
		}
		tab.do(
			chromedp.SendKeys(`input[name=typed]`, "shop-03"),
			chromedp.Click(`button.danger`),
			chromedp.WaitVisible(`#results .good`),
		)
		if got := tab.text(`document.querySelector("#results li").textContent`); !strings.HasPrefix(got, "Drop database shop-03: done") || store.Status().Drops != 1 {
			t.Errorf("the page says %q", got)
		}
	})
}

func TestItIsWholeWithoutScripts(t *testing.T) {
	tab := newTab(t)
	store := txcachetest.Memory(t)
	busy(t, store)
	tab.do(
		call(emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true}),
		chromedp.Navigate(serve(t, store, nil)),
		chromedp.SendKeys(`input[type=search][name=caches]`, "ir.r"),
		chromedp.Click(`#caches form.search button`),
		chromedp.WaitNotPresent(`//th[bdi="res.company"]`),
	)
	text, err := chromedp.Run(tab.ctx, chromedp.Text("table.caches tbody th"))
	if err != nil || text != "ir.rule" {
		t.Errorf("found %q (%v)", text, err)
	}
}
