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
	known []*row  // the largest rows of the view that was used last

	epoch, fold task
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

// start reports whether the task is to be done. The tenant is locked.
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
	n := &tenant{name: database, column: column(database)}
	b.tenants[database] = b.used.PushFront(n)
	if b.used.Len() > maxTenants {
		last := b.used.Back()
		delete(b.tenants, b.used.Remove(last).(*tenant).name)
	}
	return n
}

// args returns the arguments of a statement that reads rows, and those rows whose
// content it leaves out.
func (n *tenant) args() (args []any, known []*row) {
	n.mu.Lock()
	known = n.known
	n.mu.Unlock()
	args = make([]any, leftOut+1)
	for i, r := range known {
		args[i] = r.token
	}
	args[leftOut] = n.column
	return args, known
}

// A sent is a row as it was sent, without the content of those that are known.
type sent struct {
	token, n int64
	clears   string
}

// row returns the row that was sent, if all is known of it.
func (s *sent) row(known []*row) *row {
	for _, r := range known {
		if r.token == s.token && r.n == s.n && (s.clears == "" || r.clears == s.clears) {
			return r
		}
	}
	return nil
}

// view returns the view of the rows that were sent, or an error of a row that cannot be read.
func (n *tenant) view(all []sent, known []*row) (*view, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	rows := make([]*row, len(all))
	byToken := map[int64]*row{}
	for _, v := range n.views {
		for _, r := range v.rows {
			byToken[r.token] = r
		}
	}
	for i, s := range all {
		rows[i] = s.row(known)
		if r := byToken[s.token]; rows[i] == nil && r != nil && r.n == s.n && r.clears == s.clears {
			rows[i] = r
		}
		if rows[i] == nil {
			rows[i] = &row{token: s.token, n: s.n, clears: s.clears}
		}
	}
	v, err := n.find(rows)
	if err != nil {
		return nil, err
	}
	n.views = slices.DeleteFunc(n.views, func(o *view) bool { return o == v })
	n.views = slices.Insert(n.views, 0, v)
	if len(n.views) > maxViews {
		n.views = slices.Delete(n.views, maxViews, len(n.views))
	}
	n.known = largest(rows)
	return v, nil
}

// find returns the view of rows: a known one, or one by the difference to the nearest.
func (n *tenant) find(rows []*row) (*view, error) {
	id := idOf(rows)
	nearest, gone, added := empty, []*row(nil), rows
	for _, v := range n.views {
		if v.id == id {
			v.rows = rows // they may be folded since
			return v, nil
		}
		if g, a := difference(v.rows, rows); len(g)+len(a) < len(gone)+len(added) {
			nearest, gone, added = v, g, a
		}
	}
	if v, err := nearest.with(rows, gone, added); err == nil || nearest == empty {
		return v, err
	}
	return empty.with(rows, nil, rows)
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
