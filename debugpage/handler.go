// Package debugpage serves a live page about a store to the operators of a
// service: what its caches do, what it holds of each database, how it gets along
// with its backend.
//
//	mux.Handle("/debug/txcache/", debugpage.Handler(store, nil))
//
// The page shows names of caches and databases, and counts; never a key, a value
// or an address. It changes nothing unless [Options.Actions] says so. Like
// net/http/pprof it does not authenticate: serve it where only the operators of the
// service can reach it, and tell it by which names they do, in [Options.Hosts].
//
// It costs nothing while nobody looks. There is no goroutine, and nothing on the
// path of a hit; what is shown over time is what was counted when somebody asked.
//
// docs/debugpage.md says what each figure means, and what is in data.json.
package debugpage

import (
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/seed-dad15c92/txcache"
)

// Options are the settings of [Handler]. The zero value of each field, and a
// nil *Options, stand for the default.
type Options struct {
	// Title is the heading of the page, such as the name of the service and of
	// the machine: each process has a page of its own. The default is "txcache".
	Title string

	// Actions lets everybody who reaches the page clear caches and drop databases.
	// Put it behind your own authentication: the page protects against other
	// sites that act in the name of who is signed in, and against nothing else.
	// By default the page only reads.
	Actions bool

	// Hosts are the names, without ports, by which browsers ask for the page,
	// such as "web-1.internal", or that of a reverse proxy which passes it on.
	// Requests for other names are refused, except for IP addresses and
	// localhost: a site could let its own name point here, and would read the
	// page, and act, as if it were its own. The default is none with Actions, and
	// for requests that come over a loopback address; else it is any name.
	Hosts []string
}

// Handler returns a handler that serves the page of store, data.json, and what
// they need. It is safe for concurrent use.
//
// It may be mounted anywhere, with or without [http.StripPrefix]: it looks at
// the last part of the path only, and all its links are relative. The pattern
// must end in a slash. opts may be nil.
//
// Counting goes through every database that the process has used, at most once a
// second, and at most about a tenth of the time: with very many of them figures
// are a little older. Each other search for databases is a count of its own; one
// of those runs at a time.
func Handler(store *txcache.Store, opts *Options) http.Handler {
	var o Options
	if opts != nil {
		o = *opts
	}
	if o.Title == "" {
		o.Title = "txcache"
	}
	return &handler{
		options: o,
		store:   store,
		sampler: &sampler{store: store},
		scanner: newScanner(store),
		actions: newActions(),
	}
}

type handler struct {
	options Options
	store   *txcache.Store
	sampler *sampler
	scanner *scanner
	actions *actions
}

//go:embed assets
var assets embed.FS

var templates = template.Must(template.New("").Funcs(functions).ParseFS(assets, "assets/*.html"))

// policy lets the page use what comes with it, and nothing else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	header := w.Header()
	header.Set("Content-Security-Policy", policy)
	header.Set("X-Content-Type-Options", "nosniff")
	// Not no-referrer: with it browsers send "Origin: null" with a form, and no
	// action would ever be taken for one of the page's own.
	header.Set("Referrer-Policy", "same-origin")
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	header.Set("Cache-Control", "no-store")

	if h.options.misdirected(r) {
		http.Error(w, fmt.Sprintf("txcache: refused, as the page does not know the name %q; ask for it by its IP address or as localhost, "+
			"or let the service give the name in debugpage.Options.Hosts", bare(r.Host)), http.StatusMisdirectedRequest)
		return
	}
	if h.store == nil {
		http.Error(w, "txcache: debugpage.Handler was given no store", http.StatusServiceUnavailable)
		return
	}
	_, name := path.Split(r.URL.Path)
	if name == "action" && h.options.Actions {
		if allow(w, r, http.MethodPost) {
			h.act(w, r)
		}
		return
	}
	if !allow(w, r, http.MethodGet, http.MethodHead) {
		return
	}
	switch name {
	case "":
		if given, _, _ := strings.Cut(r.RequestURI, "?"); given != "" && !strings.HasSuffix(given, "/") {
			addSlash(w, path.Base(given)) // http.StripPrefix has left nothing
			return
		}
		h.page(w, r)
	case "data.json":
		h.data(w, r)
	case "page.css", "page.js", "icon.svg":
		http.ServeFileFS(w, r, assets, "assets/"+name)
	case "confirm":
		if h.options.Actions {
			h.confirm(w, r)
			return
		}
		http.NotFound(w, r)
	default:
		if strings.HasSuffix(r.Pattern, "/"+name) { // mounted without a slash as well
			addSlash(w, name)
			return
		}
		http.NotFound(w, r)
	}
}

// allow answers 405 unless the request has one of methods.
func allow(w http.ResponseWriter, r *http.Request, methods ...string) bool {
	if slices.Contains(methods, r.Method) {
		return true
	}
	allowed := strings.Join(methods, ", ")
	w.Header().Set("Allow", allowed)
	http.Error(w, "txcache: the method is "+r.Method+"; it must be one of "+allowed, http.StatusMethodNotAllowed)
	return false
}

// addSlash sends the browser from folder to folder/, without knowing what comes
// before it.
func addSlash(w http.ResponseWriter, folder string) {
	w.Header().Set("Location", "./"+url.PathEscape(folder)+"/")
	w.WriteHeader(http.StatusTemporaryRedirect)
}

func (h *handler) page(w http.ResponseWriter, r *http.Request) {
	if d, q, ok := h.document(w, r); ok {
		render(w, r, "page.html", page{d, q, h.actions.recent()})
	}
}

func (h *handler) data(w http.ResponseWriter, r *http.Request) {
	d, q, ok := h.document(w, r)
	if !ok {
		return
	}
	if !q.History {
		d.dropHistory()
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(d) // an error is that of a client who has gone
}

// render writes a page when it is whole, so that an error is an answer.
func render(w http.ResponseWriter, r *http.Request, name string, data any) {
	var b bytes.Buffer
	if err := templates.ExecuteTemplate(&b, name, data); err != nil {
		http.Error(w, "txcache: the page could not be made: "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	if r.Method != http.MethodHead {
		b.WriteTo(w)
	}
}
