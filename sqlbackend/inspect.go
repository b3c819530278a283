package sqlbackend

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/cause"
	"github.com/seed-dad15c92/txcache/internal/inspect"
	"github.com/seed-dad15c92/txcache/internal/querier"
)

// An inspector is a Backend that tells operators what its table has. No user of this
// package reaches it: the command does, through package inspect.
type inspector struct {
	*Backend
	database string // into whose SQL database it looks, where each has its own
}

func init() {
	inspect.SQLOf = func(b backend.Backend, database string) (inspect.SQLInspector, bool) {
		switch b := b.(type) {
		case *Backend:
			return inspector{b, database}, true
		case withValues:
			return valuesInspector{inspector{b.Backend, database}, b}, true
		}
		return nil, false
	}
	inspect.SQLUnavailable = unavailable
	inspect.SQLRemedy = remedy
}

// A valuesInspector is an inspector of a Backend whose values are kept elsewhere too. It looks for no
// values there, but Drop removes them.
type valuesInspector struct {
	inspector
	of withValues
}

func (v valuesInspector) Drop(ctx context.Context, database string) error {
	return v.of.Drop(ctx, database)
}

func (v valuesInspector) Values() backend.Values { return v.of.Values }

func (inspector) Values() backend.Values { return nil }

func (v valuesInspector) Close() error { return v.of.Close() }

// unavailable reports whether an error says that the database could not be reached, or
// cannot serve now. Of go-sql-driver's errors and those of SQLite only the text tells it.
func unavailable(err error) bool {
	if errors.Is(err, context.Canceled) || errors.Is(err, backend.ErrClosed) || errors.Is(err, errWrong) {
		return false
	}
	if state := sqlState(err); state != "" {
		// Connections, resources, an operator's intervention.
		return slices.Contains([]string{"08", "53", "57"}, state[:min(2, len(state))]) || isReadOnly(err)
	}
	if n := number(err); n != 0 {
		return isReadOnly(err) || slices.Contains([]uint64{1040, 1053, 1203, 1205}, n)
	}
	for _, lost := range []error{context.DeadlineExceeded, io.EOF, io.ErrUnexpectedEOF, driver.ErrBadConn, sql.ErrConnDone} {
		if errors.Is(err, lost) {
			return true
		}
	}
	var network net.Error
	return errors.As(err, &network) || strings.Contains(err.Error(), "invalid connection") || strings.Contains(err.Error(), "database is locked")
}

// errWrong says that the table or its database is not as it must be.
var errWrong = errors.New("the table is not as it must be")

// db returns the connections to the database that it looks into, which stay open until release is called.
func (b inspector) db() (db *sql.DB, release func(), err error) {
	b.mu.Lock()
	closed := b.closed
	b.mu.Unlock()
	if closed {
		return nil, nil, backend.ErrClosed
	}
	return b.connections(b.database)
}

func (b inspector) Ping(ctx context.Context) error {
	db, release, err := b.db()
	if err != nil {
		return err
	}
	defer release()
	return db.PingContext(ctx)
}

func (b inspector) Clears(ctx context.Context) ([]inspect.Clears, error) {
	found, err := b.clears(ctx, "SELECT "+b.dialect.quote("database")+", token, n, clears FROM "+b.table)
	if err != nil {
		return nil, err
	}
	names := slices.Sorted(maps.Keys(found))
	list := make([]inspect.Clears, len(names))
	for i, column := range names {
		list[i] = *found[column].result(column)
	}
	slices.SortFunc(list, func(c, d inspect.Clears) int { return strings.Compare(c.Name, d.Name) })
	return list, nil
}

func (b inspector) ClearsOf(ctx context.Context, name string) (*inspect.Clears, error) {
	n, err := b.usable(ctx, name)
	if err != nil {
		return nil, err
	}
	database := b.dialect.quote("database")
	found, err := b.clears(ctx, b.dialect.parameters("SELECT "+database+", token, n, clears FROM "+b.table+" WHERE "+database+" = ?"), n.column)
	if err != nil {
		return nil, err
	}
	c := &inspect.Clears{}
	if rows := found[n.column]; rows != nil {
		c = rows.result(n.column)
	}
	c.Name, c.Digest = name, false
	return c, nil
}

// rowsOf are the rows of a database and what is in them.
type rowsOf struct {
	inspect.Clears
	content *content
}

// clears reads rows, by what the table has in place of the names of databases.
func (b inspector) clears(ctx context.Context, statement string, args ...any) (map[string]*rowsOf, error) {
	db, release, err := b.db()
	if err != nil {
		return nil, err
	}
	defer release()
	found := map[string]*rowsOf{}
	err = querier.Of(db).Query(ctx, statement, args, func(scan func(...any) error) error {
		var column string
		var r row
		if err := scan(&column, &r.token, &r.n, &r.clears); err != nil {
			return err
		}
		of := found[column]
		if of == nil {
			of = &rowsOf{content: newContent()}
			found[column] = of
		}
		of.add(&r)
		return nil
	})
	if err != nil {
		return nil, b.readError(err)
	}
	return found, nil
}

// readError is the error of reading the table.
func (b inspector) readError(err error) error {
	if isMissing(err) {
		return fmt.Errorf("there is %w %s; a service creates it when it first begins, if it may; these are the statements that do:\n%s", &noTable{err}, b.table, strings.TrimSpace(b.ddl))
	}
	return fmt.Errorf("reading table %s: %w", b.table, cause.Of(err))
}

// noTable is the error of a table that is missing.
type noTable struct{ error }

func (*noTable) Error() string   { return "no table" }
func (n *noTable) Unwrap() error { return n.error }

func (r *rowsOf) add(row *row) {
	c, err := row.content()
	switch {
	case err != nil:
		r.Bad++
		return
	case row.packed():
		r.Packed++
	default:
		r.Recent++
	}
	r.Count += row.sum().n
	r.content.add(c)
}

// result returns what the rows of a database say.
func (r *rowsOf) result(column string) *inspect.Clears {
	c := &r.Clears
	c.Name, c.Digest = nameOf(column)
	base := r.content.caches[""]
	c.Begun = base.n > 0
	if c.Begun {
		c.Epoch = base.token()
	}
	caches := map[string]*inspect.CacheClears{}
	of := func(cache string) *inspect.CacheClears {
		if caches[cache] == nil {
			own := r.content.caches[cache]
			caches[cache] = &inspect.CacheClears{Name: cache, Token: base.plus(own).token(), Count: own.n}
		}
		return caches[cache]
	}
	for cache := range r.content.caches {
		if cache != "" {
			of(cache)
		}
	}
	for at, number := range r.content.keys {
		switch {
		case number == 0:
		case at.cache == "" && !at.group:
			c.Tags++
		case at.cache == "":
		case at.group:
			of(at.cache).Groups++
		default:
			of(at.cache).Keys++
		}
	}
	for _, name := range slices.Sorted(maps.Keys(caches)) {
		c.Caches = append(c.Caches, *caches[name])
	}
	return c
}

// nameOf returns the name of the database that the table has so, or reports that
// it has a digest of it.
func nameOf(column string) (name string, isDigest bool) {
	if strings.HasPrefix(column, "%sha256-") {
		return column, true
	}
	if name, err := url.PathUnescape(column); err == nil {
		return name, false
	}
	return column, false // of another program
}
