// Package browsertest holds the page of package debugpage to what it says in a
// real browser. It is a module of its own, so that nobody else needs what drives
// the browser.
package browsertest

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// host is a name that the browser finds at this machine. Unlike localhost it is
// no secure context, like that of many a service behind a firewall.
const host = "cache.test"

// chromium returns the path of the browser. The test is skipped if there is none,
// or fails if the environment has TXCACHE_REQUIRE_CHROMIUM=1.
func chromium(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path
		}
	}
	if os.Getenv("TXCACHE_REQUIRE_CHROMIUM") == "1" {
		t.Fatal("TXCACHE_REQUIRE_CHROMIUM=1, but there is no chromium on the PATH")
	}
	t.Skip("needs a browser: there is no chromium on the PATH")
	return ""
}

// A tab is one of a browser that ends with the test. What the browser complains
// of fails the test.
type tab struct {
	t   *testing.T
	ctx context.Context

	mu         sync.Mutex
	complaints []string
}

func newTab(t *testing.T) *tab {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(chromium(t)),
		chromedp.NoSandbox, // it shows nothing but pages of the test, and may run as root
		chromedp.Flag("host-resolver-rules", "MAP "+host+" 127.0.0.1"),
		chromedp.Flag("disable-dev-shm-usage", true),
	)
	// Not t.Context, which ends before the browser is asked to.
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(cancel)
	tab := &tab{t: t}
	tab.ctx, cancel = chromedp.NewContext(ctx, chromedp.WithListener(tab.listen))
	t.Cleanup(cancel)
	tab.do(call(runtime.Enable, cdp.Empty{}), call(log.Enable, cdp.Empty{}))
	t.Cleanup(tab.check)
	return tab
}

func (tab *tab) listen(event any) {
	var complaint string
	switch e := event.(type) {
	case *log.EventEntryAdded: // what breaks the content security policy as well
		if e.Entry.Level == log.EntryLevelError || e.Entry.Level == log.EntryLevelWarning {
			complaint = fmt.Sprintf("%s: %s (%s)", e.Entry.Level, e.Entry.Text, e.Entry.URL)
		}
	case *runtime.EventConsoleAPICalled:
		if len(e.Args) > 0 {
			complaint = fmt.Sprintf("console.%s: %s", e.Type, e.Args[0].Value)
		}
	case *runtime.EventExceptionThrown:
		complaint = e.ExceptionDetails.Text
	}
	if complaint != "" {
		tab.mu.Lock()
		defer tab.mu.Unlock()
		tab.complaints = append(tab.complaints, complaint)
	}
}

func (tab *tab) check() {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	for _, c := range tab.complaints {
		tab.t.Error("the browser complains:", c)
	}
}

// call makes an action of a command whose answer says nothing.
func call[P any](command cdp.Command[P, cdp.Empty], params P) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, command, params)
		return err
	})
}

func (tab *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	tab.t.Helper()
	if err := chromedp.Do(tab.ctx, steps...); err != nil {
		tab.t.Fatal(err)
	}
}

// text returns what an expression gives.
func (tab *tab) text(expression string) string {
	tab.t.Helper()
	s, err := chromedp.Run(tab.ctx, chromedp.Evaluate[string]("String("+expression+")"))
	if err != nil {
		tab.t.Fatalf("%s: %v", expression, err)
	}
	return s
}

// await waits until an expression is true.
func (tab *tab) await(expression string) {
	tab.t.Helper()
	_, err := chromedp.Run(tab.ctx, chromedp.Poll[chromedp.Void](expression, chromedp.WithPollingTimeout(20*time.Second)))
	if err != nil {
		tab.t.Fatalf("%s: %v\n%s", expression, err, tab.text("document.body.innerText"))
	}
}

// view sets the size of the window and what the user prefers.
func (tab *tab) view(width, height int64, scheme string) {
	tab.t.Helper()
	tab.do(
		call(emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{
			Width: width, Height: height, DeviceScaleFactor: 1, Mobile: width < 700,
		}),
		call(emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: scheme},
			{Name: "prefers-reduced-motion", Value: "reduce"},
		}}),
	)
}
