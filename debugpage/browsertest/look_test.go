package browsertest

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/seed-dad15c92/txcache/debugpage"
	"github.com/seed-dad15c92/txcache/txcachetest"
)

// crossed is the text that the large line over time lies over, if any.
const crossed = `(() => {
	const line = document.querySelector(".wide .spark")?.getBoundingClientRect();
	if (!line) return "";
	return [...document.querySelectorAll(".tile h2, .tile p")].filter(e => {
		const range = document.createRange();
		range.selectNodeContents(e);
		return [...range.getClientRects()].some(r => r.left < line.right && line.left < r.right && r.top < line.bottom && line.top < r.bottom);
	}).map(e => e.textContent).join(", ");
})()`

// longest gives the figures of a page the longest text that there is, as a service has that is busy for long.
const longest = `document.querySelectorAll("td data, dd, .figure, .tile p data").forEach(e => e.textContent = "9\u202f999\u202f999")`

// TestPagesFit looks at every page in sizes from a phone to a desk, in light and in
// dark, with the figures that it has and with the longest. With TXCACHE_SCREENSHOTS=<folder> it leaves pictures there.
func TestPagesFit(t *testing.T) {
	tab := newTab(t)
	store := txcachetest.Redis(t)
	caches := busy(t, store)
	address := serve(t, store, &debugpage.Options{Title: "shop on web-1", Actions: true})

	tab.view(1440, 1000, "light")
	tab.do(chromedp.Navigate(address))
	if pictured != "" { // so that there is something in the pictures
		for n := range 24 {
			use(t, store, caches, fmt.Sprintf("shop-%02d", n%5), 10+4*(n%7))
			if n%4 == 3 {
				if err := store.Clear(t.Context(), "shop-00", names[n%len(names)], names[2], names[3]); err != nil {
					t.Fatal(err)
				}
			}
			time.Sleep(1100 * time.Millisecond)
			tab.do(chromedp.Reload())
		}
	}
	pages := map[string]string{"page": "", "database": "?database=shop-00&databases=shop-0", "confirm": "confirm?do=drop&database=shop-00"}
	for name, query := range pages {
		for device, width := range map[string]int64{"phone": 375, "tablet": 820, "laptop": 1100, "window": 1300, "desk": 1440} {
			for _, scheme := range []string{"light", "dark"} {
				tab.view(width, map[string]int64{"phone": 812, "tablet": 1180, "laptop": 800, "window": 900, "desk": 1000}[device], scheme)
				tab.do(chromedp.Navigate(address + query))
				if tab.text(fits) != "true" {
					t.Errorf("%s, %s, %s: the page is wider than the window", name, device, scheme)
				}
				if got := tab.text(crossed); got != "" {
					t.Errorf("%s, %s, %s: the line over time runs through %q", name, device, scheme, got)
				}
				if pictured != "" {
					tab.picture(filepath.Join(pictured, name+"-"+device+"-"+scheme+".png"), chromedp.CaptureScreenshot())
					tab.picture(filepath.Join(pictured, name+"-"+device+"-"+scheme+"-whole.png"), chromedp.FullScreenshot(100))
				}
				if tab.text("("+longest+", "+fits+")") != "true" {
					t.Errorf("%s, %s, %s: with the longest figures the page is wider than the window", name, device, scheme)
				}
			}
		}
	}
}

func (tab *tab) picture(path string, of chromedp.Action[[]byte]) {
	tab.t.Helper()
	b, err := chromedp.Run(tab.ctx, of)
	if err == nil {
		err = os.WriteFile(path, b, 0o644)
	}
	if err != nil {
		tab.t.Fatal(err)
	}
}
