package sqlbackend

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/seed-dad15c92/txcache/backend"
)

// A tenant is what the Backend knows of one database.
type tenant struct {
	name   string
	column string // the name in the table

	mu    sync.Mutex
	pool  *pool   // nil until it was prepared
	views []*view // the last few, by use
	head  *view   // the last of its chain; see backend.State
	older int     // views since then that are of older snapshots
	known []*row  // the largest rows of the view that was used last

	epoch, fold task
	folded      time.Time     // when rows were folded last, here or elsewhere
	busyUntil   time.Time     // as rows were folded at short intervals; zero: they were not
	idle        time.Duration // the last pause after a fold that had nothing to do; only the fold uses it
	beginning   chan struct{} // holds an element while a goroutine begins an epoch
}

const (
	maxViews   = 4
	maxTenants = 1024 // more are forgotten, the one that was not used for longest first
	foldAfter  = 32   // rows of transactions that make it worth to fold them
	maxFold    = 5000 // rows that one fold reads
	worthwhile = 100  // bytes of content that are not sent again
)

// A task is done in the background, by one goroutine at a time.
type task struct {
	busy  bool
	after time.Time // until when it is not done again
}

// start reports whether the task may begin now. The tenant is locked.
func (t *task) start() bool {
	if t.busy || time.Now().Before(t.after) {
		return false
	}
	t.busy = true
	return true
}

// end says that the task is done and what it must wait for.
func (n *tenant) end(t *task, pause time.Duration) {
	n.mu.Lock()
	defer n.mu.Unlock()
	t.busy, t.after = false, time.Now().Add(pause)
}

// tenant returns what is known of a database.
func (b *Backend) tenant(database string) *tenant {
	b.mu.Lock()
	defer b.mu.Unlock()
	if at := b.tenants[database]; at != nil {
		b.used.MoveToFront(at)
		return at.Value.(*tenant)
	}
	n := &tenant{name: database, column: column(database), beginning: make(chan struct{}, 1)}
	b.tenants[database] = b.used.PushFront(n)
	if b.used.Len() > maxTenants {
		last := b.used.Back()
		delete(b.tenants, b.used.Remove(last).(*tenant).name)
	}
	return n
}

// prepared returns the connections to the table of the tenant, nil if it is not known to be there.
func (n *tenant) prepared() *pool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.pool
}

// args returns the arguments of a statement that reads rows, and those rows whose
// content it leaves out.
func (n *tenant) args() (args []any, known []*row) {
	n.mu.Lock()
	known = n.known
	n.mu.Unlock()
	args = make([]any, 0, leftOut+1)
	for _, r := range known {
		args = append(args, r.token)
	}
	args = append(args, n.column)
	return args, known
}

// view returns the view of rows as they were sent, of which some may be those that
// were known, or an error of a row that cannot be read. It reports whether there are many
// that are not folded.
func (n *tenant) view(rows []*row) (v *view, many bool, err error) {
	many = unfolded(rows) > foldAfter
	n.mu.Lock()
	defer n.mu.Unlock()
	i := slices.IndexFunc(n.views, func(v *view) bool { return slices.EqualFunc(v.rows, rows, equal) })
	switch {
	case i == 0:
		return n.views[0], many, nil
	case i > 0:
		v = n.views[i]
	default:
		if v, err = n.find(n.resolve(rows)); err != nil {
			return nil, many, err
		}
	}
	n.views = slices.DeleteFunc(n.views, func(o *view) bool { return o == v })
	n.views = slices.Insert(n.views, 0, v)
	if len(n.views) > maxViews {
		n.views = slices.Delete(n.views, maxViews, len(n.views))
	}
	n.known = largest(v.rows)
	return v, many, nil
}

// equal reports whether two rows are the same, wherever they are in the table.
func equal(r, s *row) bool {
	return r == s || r.token == s.token && r.n == s.n && r.clears == s.clears
}

// resolve puts rows that are known in the place of those that are equal.
func (n *tenant) resolve(rows []*row) []*row {
	byToken := map[int64]*row{}
	know := func(v *view) {
		for _, r := range v.rows {
			byToken[r.token] = r
		}
	}
	if n.head != nil {
		know(n.head)
	}
	for _, v := range n.views {
		know(v)
	}
	for i, r := range rows {
		if k := byToken[r.token]; k != nil && equal(k, r) {
			rows[i] = k
		}
	}
	return rows
}

// newRow returns a row as it was sent: without its content if it is one of those that are known.
func newRow(token, n int64, clears string, known []*row) *row {
	for _, r := range known {
		if r.token == token && r.n == n && clears == "" {
			return r
		}
	}
	return &row{token: token, n: n, clears: clears}
}

// find returns the view of rows: a known one, if they are in another order or were folded
// since, or else one by the difference to the nearest.
func (n *tenant) find(rows []*row) (*view, error) {
	nearest, gone, added := empty, []*row(nil), rows
	for _, v := range n.views {
		g, a := difference(v.rows, rows)
		if len(g)+len(a) == 0 {
			v.rows = rows
			return v, nil
		}
		if len(g)+len(a) < len(gone)+len(added) {
			nearest, gone, added = v, g, a
		}
	}
	continues := n.head != nil && shows(n.head.rows, rows)
	if continues {
		nearest = n.head
		gone, added = difference(nearest.rows, rows)
	}
	v, change, err := nearest.with(rows, gone, added)
	if err != nil && nearest != empty {
		continues = false
		v, change, err = empty.with(rows, nil, rows)
	}
	if err == nil {
		n.order(v, change, continues)
	}
	return v, err
}

// Dead rows, of folds, are there until a vacuum: for a minute or so. Where the next fold
// follows within maxInterval they are many.
const (
	maxInterval = time.Second
	deadFor     = time.Minute
)

// hasFolded notes that rows were folded.
func (n *tenant) hasFolded() {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := time.Now()
	if now.Sub(n.folded) < maxInterval {
		n.busyUntil = now.Add(deadFor)
	}
	n.folded = now
}

// busy reports whether the table has many dead rows of the tenant.
func (n *tenant) busy() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.busyUntil.IsZero() && time.Now().After(n.busyUntil) {
		n.busyUntil = time.Time{}
	}
	return !n.busyUntil.IsZero()
}

// parse parses the content of a row that others use too. It need not be locked for it from then on.
func (n *tenant) parse(r *row) {
	n.mu.Lock()
	defer n.mu.Unlock()
	_, _ = r.content() // whose error the row has
}

// largest returns the rows whose contents are worth not to be sent again.
func largest(rows []*row) []*row {
	var large []*row
	for _, r := range rows {
		if len(r.clears) >= worthwhile {
			large = append(large, r)
		}
	}
	slices.SortFunc(large, func(a, b *row) int { return cmp.Compare(len(b.clears), len(a.clears)) })
	return large[:min(len(large), leftOut)]
}

// unfolded returns how many of the rows are of one transaction.
func unfolded(rows []*row) (count int) {
	for _, r := range rows {
		if !r.packed() {
			count++
		}
	}
	return count
}

// private returns a State of which nothing can be shared. Its tokens are never seen
// again.
func private() *backend.State {
	token := backend.NewToken()
	return &backend.State{Epoch: token, Base: token, AllFenced: true}
}
