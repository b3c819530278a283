// Package load loads shops with requests and checks their answers: a price that
// was read after a change was answered shows that change or a newer one,
// whichever server answered, and a change that was refused is never seen.
package load

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"time"
)

// Options say what to load, and how.
type Options struct {
	URLs    []string // of the servers; requests go to any of them
	Hosts   []string // of the shops, which every server has
	For     time.Duration
	Clients int     // that send requests at the same time, each one after the other
	Writes  float64 // the share of requests that are changes, 0 to 1

	// Restarts says that servers may end and begin again in mid-run. A request that gets
	// no answer is then none that failed: it is counted, and a change that it
	// asked for may have been made or not.
	Restarts bool
}

// categories that have products, of the shops' seed.
var categories = []int64{2, 3, 4}

// Products that are not there at first. They are asked for, created, and must
// then be seen.
const (
	firstNew    = 1001
	newProducts = 20
)

type run struct {
	Options
	client *http.Client
	marks  map[string][]*mark // of each shop

	mu         sync.Mutex
	violations []string // the first few
	violated   int
	failures   []string // the first few
	failed     int

	checked, written, refused, unavailable, unanswered atomic.Int64
}

// Run loads the servers until o.For has passed or ctx is done. It changes the
// prices of all products. Only one run at a time can tell what is stale: others
// must not change prices meanwhile.
func Run(ctx context.Context, o Options) (*Report, error) {
	switch {
	case len(o.URLs) == 0, len(o.Hosts) == 0, o.Clients < 1, o.For <= 0:
		return nil, errors.New("load: there must be a server, a shop, a client and some time")
	case !(o.Writes >= 0 && o.Writes <= 1):
		return nil, fmt.Errorf("load: a share of writes of %v; it must be 0 to 1", o.Writes)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.Proxy, transport.MaxIdleConnsPerHost = nil, o.Clients
	defer transport.CloseIdleConnections()
	r := &run{Options: o, client: &http.Client{Transport: transport, Timeout: time.Minute}, marks: map[string][]*mark{}}
	for _, host := range o.Hosts {
		if err := r.survey(ctx, host); err != nil {
			return nil, err
		}
	}
	r.checked.Store(0)
	r.written.Store(0) // what the surveys have changed is not of the run
	started := time.Now()
	var all sync.WaitGroup
	clients := make([]*client, o.Clients)
	for i := range clients {
		clients[i] = newClient(r)
		all.Go(func() {
			for time.Since(started) < o.For && ctx.Err() == nil {
				clients[i].act(ctx)
			}
		})
	}
	all.Wait()
	return r.report(time.Since(started), clients), nil
}

// survey learns what a shop has, and gives each product one price for all
// groups, so that any price that is read can be told from any other.
func (r *run) survey(ctx context.Context, host string) error {
	c := newClient(r)
	for _, category := range categories {
		var items []item
		if code, err := c.get(ctx, host, "/api/products", url.Values{"category": {strconv.FormatInt(category, 10)}}, &items); err != nil || code != http.StatusOK {
			return errors.Join(fmt.Errorf("load: shop %s cannot be read: status %d", host, code), err)
		}
		for _, it := range items {
			m := newMark(host, it.ID, category)
			m.sent.Store(it.Cents)
			r.marks[host] = append(r.marks[host], m)
		}
	}
	known := map[int64]bool{}
	for _, m := range r.marks[host] {
		known[m.product] = true
		if !c.change(ctx, m, true) {
			return fmt.Errorf("load: shop %s, product %d: the price cannot be changed: %v", host, m.product, r.failures)
		}
	}
	for id := int64(firstNew); id < firstNew+newProducts; id++ {
		if !known[id] {
			r.marks[host] = append(r.marks[host], newMark(host, id, categories[0]))
		}
	}
	return nil
}

// few is how many violations and failures are kept to be shown.
const few = 10

func (r *run) violation(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.violated++; r.violated <= few {
		r.violations = append(r.violations, what)
	}
}

func (r *run) failure(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failed++; r.failed <= few {
		r.failures = append(r.failures, what)
	}
}

func pick[T any](from []T) T { return from[rand.IntN(len(from))] }
