package sqlbackend_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"maps"
	"slices"
	"sync"
)

// A farm is a driver of databases that take every statement, and have no rows. It remembers which
// are connected.
type farm struct {
	mu     sync.Mutex
	open   map[string]int // connections, by DSN
	opened map[string]int // ever
	query  func(dsn string) error
	refuse error // every connection; nil: none
}

var everyFarm = &farm{}

func init() { sql.Register("farm", everyFarm) }

// newFarm empties the one that the driver "farm" has.
func newFarm() *farm {
	f := everyFarm
	f.mu.Lock()
	defer f.mu.Unlock()
	f.open, f.opened, f.query = map[string]int{}, map[string]int{}, func(string) error { return nil }
	f.refuse = nil
	return f
}

func (f *farm) Open(dsn string) (driver.Conn, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.refuse != nil {
		return nil, f.refuse
	}
	f.open[dsn]++
	f.opened[dsn]++
	return &farmConn{f: f, dsn: dsn}, nil
}

func (f *farm) connected() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Sorted(maps.Keys(f.open))
}

func (f *farm) has(dsn string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.open[dsn] > 0
}

type farmConn struct {
	sink
	f   *farm
	dsn string
}

func (c *farmConn) Close() error {
	c.f.mu.Lock()
	defer c.f.mu.Unlock()
	if c.f.open[c.dsn]--; c.f.open[c.dsn] == 0 {
		delete(c.f.open, c.dsn)
	}
	return nil
}

func (c *farmConn) QueryContext(context.Context, string, []driver.NamedValue) (driver.Rows, error) {
	return sink{}, c.f.query(c.dsn)
}
