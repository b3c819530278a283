package load

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// The kinds of requests.
const (
	product = iota
	category
	search
	change
	refusedChange
	kinds
)

var kindNames = [kinds]string{"product", "category", "search", "change", "refused change"}

// A client sends one request after the other.
type client struct {
	*run
	latencies [kinds][]time.Duration
	zipf      *rand.Zipf // some products are asked for more than others
}

func newClient(r *run) *client {
	return &client{run: r, zipf: rand.NewZipf(rand.New(rand.NewPCG(rand.Uint64(), 0)), 1.1, 4, 1<<16)}
}

// act sends a request of a random kind, to a random shop and server.
func (c *client) act(ctx context.Context) {
	host := pick(c.Hosts)
	marks := c.marks[host]
	started := time.Now()
	kind := product
	switch p, m := rand.Float64(), marks[int(c.zipf.Uint64())%len(marks)]; {
	case p < c.Writes/5:
		kind = refusedChange
		c.change(ctx, m, false)
	case p < c.Writes:
		kind = change
		c.change(ctx, m, true)
	case rand.IntN(10) > 1:
		c.readProduct(ctx, m)
	case rand.IntN(2) == 0:
		kind = category
		id := pick(categories)
		c.readList(ctx, host, url.Values{"category": {strconv.FormatInt(id, 10)}}, func(m *mark) bool { return m.category == id })
	default:
		kind = search
		q := pick([]string{"oak", "beech", "walnut", "steel", "desk", "bench", "shelf"})
		c.readList(ctx, host, url.Values{"q": {q}}, nil)
	}
	c.latencies[kind] = append(c.latencies[kind], time.Since(started))
}

// An item is what the shops answer, as far as it is looked at.
type item struct {
	ID    int64 `json:"id"`
	Cents int64 `json:"cents"`
}

func (c *client) readProduct(ctx context.Context, m *mark) {
	floor := m.floor.Load()
	var it item
	switch code, err := c.get(ctx, m.shop, fmt.Sprintf("/api/products/%d", m.product), nil, &it); {
	case err != nil || code != http.StatusOK && code != http.StatusNotFound:
		c.wrong(ctx, "product", code, err)
	default:
		c.check(m, floor, it.Cents) // 0 if there is none
	}
}

// readList checks all that a list shows, and that it has those that it must.
func (c *client) readList(ctx context.Context, host string, query url.Values, must func(*mark) bool) {
	floors := map[int64]int64{}
	for _, m := range c.marks[host] {
		floors[m.product] = m.floor.Load()
	}
	var items []item
	if code, err := c.get(ctx, host, "/api/products", query, &items); err != nil || code != http.StatusOK {
		c.wrong(ctx, "list", code, err)
		return
	}
	shown := map[int64]int64{}
	for _, it := range items {
		shown[it.ID] = it.Cents
	}
	for _, m := range c.marks[host] {
		if price, ok := shown[m.product]; ok || must != nil && must(m) {
			c.check(m, floors[m.product], price)
		}
	}
}

func (c *client) check(m *mark, floor, price int64) {
	c.checked.Add(1)
	if wrong := m.check(floor, price); wrong != "" {
		c.violation(wrong)
	}
}

// change changes the price of a product, or creates it, and reports whether it
// did. If valid is not set it breaks the rule of the shops that business pays no
// more than retail, which they find out in the middle of their transaction.
func (c *client) change(ctx context.Context, m *mark, valid bool) bool {
	m.writing.Lock()
	defer m.writing.Unlock()
	price := m.sent.Add(1)
	business := price
	if !valid {
		business = m.sent.Add(1)
		m.refuse(price)
		m.refuse(business)
	}
	cents := map[string]int64{"retail": price, "business": business}
	path, body := fmt.Sprintf("/api/products/%d", m.product), any(map[string]any{"category": m.category, "name": "chair", "material": "cherry", "cents": cents})
	if m.floor.Load() > 0 || m.product < firstNew {
		path, body = path+"/prices", cents
	}
	var it item
	switch code, err := c.send(ctx, http.MethodPut, m.shop, path, body, &it); {
	case code == http.StatusOK && valid:
		c.written.Add(1)
		c.check(m, price, it.Cents) // also raises the floor
		return true
	case code == http.StatusServiceUnavailable:
		c.unavailable.Add(1)
		m.refuse(price)
	case code == http.StatusUnprocessableEntity && !valid:
		c.refused.Add(1)
	default: // whether it was done is not known
		c.wrong(ctx, "change", code, err)
	}
	return false
}

// errUnanswered is wrapped by the error of a request that got no whole answer.
var errUnanswered = errors.New("no answer")

// wrong counts a request that was not answered as it should be, unless the
// run was ended in its middle.
func (c *client) wrong(ctx context.Context, what string, code int, err error) {
	switch {
	case ctx.Err() != nil:
	case c.Restarts && errors.Is(err, errUnanswered):
		c.unanswered.Add(1)
	default:
		c.failure(fmt.Sprintf("%s: status %d, error %v", what, code, err))
	}
}

// get asks as somebody of any group and language.
func (c *client) get(ctx context.Context, host, path string, query url.Values, into any) (int, error) {
	if query == nil {
		query = url.Values{}
	}
	query.Set("group", pick([]string{"retail", "business"}))
	query.Set("lang", pick([]string{"en", "de", "fr"}))
	return c.send(ctx, http.MethodGet, host, path+"?"+query.Encode(), nil, into)
}

// send sends a request to any server, and decodes the answer if it is 200.
func (c *client) send(ctx context.Context, method, host, path string, body, into any) (int, error) {
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			return 0, err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, pick(c.URLs)+path, bytes.NewReader(text))
	if err != nil {
		return 0, err
	}
	req.Host = host
	res, err := c.run.client.Do(req)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", errUnanswered, err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", errUnanswered, err)
	}
	if res.StatusCode == http.StatusOK {
		err = json.Unmarshal(answer, into)
	}
	return res.StatusCode, err
}
