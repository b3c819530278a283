package sqlbackend

import (
	"container/list"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"time"

	"github.com/seed-dad15c92/txcache/backend"
)

const (
	maxOpen    = 64          // SQL databases of tenants that stay open; more are as long as they are in use
	idleToKeep = time.Minute // for how long a connection to one of them stays open that nobody uses
)

// connections are those to the SQL databases of tenants, one for each. They are opened when they
// are first used, and closed when more are open than may be, those first that were not used for longest. One
// that could not be reached leaves no trace: the next use tries again.
type connections struct {
	open   func(tenant string) (*connection, error)
	forget func(*sql.DB) // is told of those that are closed

	mu     sync.Mutex
	closed bool
	all    map[string]*list.Element // by tenant
	used   *list.List               // of *connection, the last used first
}

type connection struct {
	tenant    string
	db        *sql.DB
	isCurrent func() bool // nil: always
	users     int         // it must not be closed
	removed   bool        // from those that are open: the last user closes it
}

func newConnections(open func(tenant string) (*connection, error), forget func(*sql.DB)) *connections {
	return &connections{open: open, forget: forget, all: map[string]*list.Element{}, used: list.New()}
}

// of returns the connections to the database of a tenant, which stay open until release is called.
func (c *connections) of(tenant string) (db *sql.DB, release func(), err error) {
	o, err := c.known(tenant, nil)
	if o != nil && o.isCurrent != nil && !o.isCurrent() {
		c.release(o, false)
		o = nil
	}
	if o == nil && err == nil {
		opened, failed := c.open(tenant) // it may look for a file, so others do not wait for it
		if failed != nil {
			return nil, nil, failed
		}
		opened.tenant = tenant
		opened.db.SetMaxIdleConns(1)
		opened.db.SetConnMaxIdleTime(idleToKeep)
		o, err = c.known(tenant, opened)
	}
	if err != nil {
		return nil, nil, err
	}
	return o.db, sync.OnceFunc(func() { c.release(o, true) }), nil
}

// known returns the connections of a tenant if they are open. Otherwise opened is in use from now on, if it is not nil.
func (c *connections) known(tenant string, opened *connection) (o *connection, err error) {
	c.mu.Lock()
	var unused []*sql.DB
	defer func() {
		c.mu.Unlock()
		c.close(unused)
	}()
	at := c.all[tenant]
	switch {
	case c.closed:
		if opened != nil {
			unused = append(unused, opened.db)
		}
		return nil, backend.ErrClosed
	case at == nil && opened == nil:
		return nil, nil
	case at == nil:
		at = c.used.PushFront(opened)
		c.all[tenant] = at
	case opened != nil: // another goroutine was faster
		unused = append(unused, opened.db)
	}
	c.used.MoveToFront(at)
	o = at.Value.(*connection)
	o.users++
	unused = append(unused, c.shrink()...)
	return o, nil
}

// release ends one use. If they are not to be kept, the next use of the tenant opens others.
func (c *connections) release(o *connection, keep bool) {
	c.mu.Lock()
	o.users--
	if at := c.all[o.tenant]; !keep && at != nil && at.Value == o {
		c.used.Remove(at)
		delete(c.all, o.tenant)
		o.removed = true
	}
	unused := c.shrink()
	if o.removed && o.users == 0 {
		unused = append(unused, o.db)
	}
	c.mu.Unlock()
	c.close(unused)
}

// shrink takes out those that are more than may be and not in use. c is locked.
func (c *connections) shrink() (unused []*sql.DB) {
	for at := c.used.Back(); at != nil && c.used.Len() > maxOpen; {
		o, next := at.Value.(*connection), at.Prev()
		if o.users == 0 {
			c.used.Remove(at)
			delete(c.all, o.tenant)
			unused = append(unused, o.db)
		}
		at = next
	}
	return unused
}

// close closes connections that nobody uses any more.
func (c *connections) close(unused []*sql.DB) error {
	var errs []error
	for _, db := range unused {
		c.forget(db)
		errs = append(errs, db.Close())
	}
	return errors.Join(errs...)
}

// Close closes all, those in use too.
func (c *connections) Close() error {
	c.mu.Lock()
	c.closed = true
	var all []*sql.DB
	for at := range c.all {
		all = append(all, c.all[at].Value.(*connection).db)
	}
	clear(c.all)
	c.used.Init()
	c.mu.Unlock()
	return c.close(all)
}

// existing returns an error if a DSN names a file of SQLite that is not there: the driver would create
// it, and a tenant be there that nobody has made. Otherwise isCurrent reports whether the file is still the same one: connections
// to one that was removed, or replaced, go on reading and writing that.
func existing(dialect Dialect, dsn string) (isCurrent func() bool, err error) {
	if dialect != SQLite {
		return nil, nil
	}
	path := file(dsn)
	if path == "" {
		return nil, nil
	}
	found, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%w; a file of SQLite is not created for a tenant", errNoFile)
	case err != nil:
		return nil, nil // the driver says more
	}
	return func() bool {
		now, err := os.Stat(path)
		return err == nil && os.SameFile(found, now)
	}, nil
}

var errNoFile = errors.New("there is no file where the dsn says")
