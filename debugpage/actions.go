package debugpage

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/seed-dad15c92/txcache"
)

// actions are what is needed to clear and to drop by the page.
//
// Three things keep other sites from doing so through the browser of somebody who
// is signed in. The page answers only for names that no other site has, whatever
// that lets its own point at. [http.CrossOriginProtection] refuses what a browser says comes
// from elsewhere. It lets requests pass that say nothing of where they come from,
// as those of old browsers; so the form has a token too, which nobody can know
// who cannot read the page. It belongs to the process: after a restart, or with
// a load balancer that sends a form elsewhere than the page came from, the action
// is refused, and would have been that of the wrong process.
type actions struct {
	token  string
	origin *http.CrossOriginProtection

	mu   sync.Mutex
	done []result // newest first, maxResults at most
}

const maxResults = 5

// A result is what became of an action.
type result struct {
	At   time.Time
	Text string
	Late bool   // it was done in this process, and others hear of it later
	Err  string // "" if it was done
}

func newActions() *actions {
	return &actions{token: rand.Text(), origin: http.NewCrossOriginProtection()}
}

func (a *actions) recent() []result {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.done)
}

func (a *actions) add(r result) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.done = slices.Insert(a.done, 0, r)
	a.done = a.done[:min(maxResults, len(a.done))]
}

// A task is one action: on one cache of a database, on all, or on the database.
type task struct {
	Do       string // "clear", "clear-all" or "drop"
	Database string
	Cache    string // for clear
	Title    string
	Token    string
}

func parseTask(v url.Values) (task, error) {
	t := task{Do: v.Get("do"), Database: v.Get("database"), Cache: v.Get("cache")}
	switch {
	case t.Do != "clear" && t.Do != "clear-all" && t.Do != "drop":
		return t, fmt.Errorf("txcache: do is %q; it must be clear, clear-all or drop", t.Do)
	case t.Database == "":
		return t, fmt.Errorf("txcache: %s needs a database", t.Do)
	case t.Do == "clear" && t.Cache == "":
		return t, fmt.Errorf("txcache: clear needs a cache; clear-all clears all of them")
	}
	return t, nil
}

// confirm serves the page that asks whether to.
func (h *handler) confirm(w http.ResponseWriter, r *http.Request) {
	t, err := parseTask(r.URL.Query())
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	t.Title, t.Token = h.options.Title, h.actions.token
	render(w, r, "confirm.html", t)
}

// patience is how long an action may take.
const patience = 30 * time.Second

// act does what was confirmed.
func (h *handler) act(w http.ResponseWriter, r *http.Request) {
	if err := h.actions.origin.Check(r); err != nil {
		http.Error(w, "txcache: refused, as the request comes from another site", http.StatusForbidden)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, 1<<20)
	if err := r.ParseForm(); err != nil {
		http.Error(w, "txcache: the form cannot be read: "+err.Error(), http.StatusBadRequest)
		return
	}
	if subtle.ConstantTimeCompare([]byte(r.PostForm.Get("token")), []byte(h.actions.token)) != 1 {
		http.Error(w, "txcache: refused, as the form is not of this process; go back to the page, reload it and try again", http.StatusForbidden)
		return
	}
	t, err := parseTask(r.PostForm)
	if err == nil && t.Do == "drop" && r.PostForm.Get("typed") != t.Database {
		err = fmt.Errorf("txcache: database %q was not dropped: the name that was typed is %q", t.Database, r.PostForm.Get("typed"))
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	h.actions.add(h.run(ctx, t))
	h.sampler.forget()
	h.scanner.forget(ctx)
	w.Header().Set("Location", "./?"+url.Values{"database": {t.Database}}.Encode()+"#results")
	w.WriteHeader(http.StatusSeeOther)
}

func (h *handler) run(ctx context.Context, t task) result {
	var r result
	var err error
	before := h.store.Status()
	switch t.Do {
	case "clear":
		r.Text = fmt.Sprintf("Clear %s in database %s", t.Cache, t.Database)
		err = h.store.Clear(ctx, t.Database, t.Cache)
	case "clear-all":
		r.Text = fmt.Sprintf("Clear all caches in database %s", t.Database)
		err = h.store.ClearAll(ctx, t.Database)
	case "drop":
		r.Text = fmt.Sprintf("Drop database %s", t.Database)
		err = h.store.Drop(ctx, t.Database)
	}
	if err != nil {
		r.Err = publicText(err)
	}
	// A clear that the backend cannot be told of is no error. Those of other
	// requests count too: rather one remark too many.
	now := h.store.Status()
	r.Late = err == nil && now.Delayed > before.Delayed && now.Waiting > 0
	r.At = time.Now()
	return r
}

// publicText returns a text for err that every reader of the page may see: the cause
// may contain an address. The store's log has the full error.
func publicText(err error) string {
	for _, kind := range []error{txcache.ErrUnavailable, txcache.ErrClosed, context.DeadlineExceeded, context.Canceled} {
		if errors.Is(err, kind) {
			return kind.Error()
		}
	}
	return "it failed"
}
