package transaction

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A tableName is the name of a table in lower case and without quotes. Its schema, if
// it has one, is before the last dot.
type tableName string

// quotes are what the dialects of SQL put around names.
const quotes = "\"`[]"

var errNoTable = errors.New("txcache: the name of a table is empty")

func parseTable(name string) (tableName, error) {
	for _, r := range quotes {
		name = strings.ReplaceAll(name, string(r), "")
	}
	n := tableName(strings.ToLower(strings.TrimSpace(name)))
	if n.last() == "" {
		return "", errNoTable
	}
	return n, nil
}

// last returns the name without the schema.
func (n tableName) last() string { return string(n[strings.LastIndexByte(string(n), '.')+1:]) }

// meets reports whether the two may be names of one table: they are equal, or one of them
// lacks a schema that the other has.
func (n tableName) meets(other tableName) bool {
	long, short := "."+string(n), "."+string(other)
	if len(long) < len(short) {
		long, short = short, long
	}
	return strings.HasSuffix(long, short)
}

// A shown says that the values of a cache show rows of a table.
type shown struct {
	name  tableName
	cache *Core
	byKey bool // of the row with the value's key alone
}

// newShown returns the tables that a cache shows according to its settings.
func newShown(c *Core, o Settings) (all []shown, err error) {
	for _, tables := range [][]string{o.Tables, o.RowsOf} {
		for _, table := range tables {
			n, err := parseTable(table)
			if err != nil {
				return nil, err
			}
			if i := slices.IndexFunc(all, func(s shown) bool { return s.name.meets(n) }); i >= 0 {
				return nil, fmt.Errorf("txcache: table %q is named twice", all[i].name)
			}
			all = append(all, shown{name: n, cache: c})
		}
	}
	for i := range o.RowsOf {
		all[len(o.Tables)+i].byKey = true
	}
	return all, nil
}

// showing returns the caches that show a table, and how many caches there are by now.
func (s *Store) showing(n tableName) (all []shown, caches uint32) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, table := range s.tables[n.last()] {
		if table.name.meets(n) {
			all = append(all, table)
		}
	}
	return all, uint32(len(s.caches))
}

// A changed is a table that a transaction has named. The caches whose ID is not above
// that number were cleared, or their keys deleted, when it was.
type changed struct {
	table  tableName
	caches uint32
}

// Changed clears the caches that show one of the tables.
func (t *Transaction) Changed(tables []string) error {
	return t.change(tables, func(table shown) { t.clear(table.cache) })
}

// ChangedRows clears the caches that show the table, but for those that show
// it by key: of these it deletes the keys, if there are any and it is clear which they are.
func (t *Transaction) ChangedRows(table string, keys []any) error {
	return t.change([]string{table}, func(table shown) {
		if table.byKey && len(keys) > 0 {
			if hashes, ok := table.cache.types.hashes(keys); ok {
				t.delete(table.cache, hashes)
				return
			}
		}
		t.clear(table.cache)
	})
}

// change calls cut for each cache that shows one of the tables. t.mu is held then.
func (t *Transaction) change(tables []string, cut func(shown)) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.changeable(); err != nil {
		return t.refuse(err)
	}
	for _, table := range tables {
		n, err := parseTable(table)
		if err != nil {
			return t.refuse(err)
		}
		all, caches := t.Store.showing(n)
		t.worked().name(n, caches)
		for _, table := range all {
			cut(table)
		}
	}
	return nil
}

// name notes that a table was named when there were so many caches.
func (w *work) name(n tableName, caches uint32) {
	if slices.ContainsFunc(w.changed, func(c changed) bool { return c.table == n }) {
		return
	}
	before := w.changed
	w.record(0, func() { w.changed = before })
	w.changed = append(w.changed, changed{n, caches})
}

// clearLater clears the caches that were made since the transaction named a table that
// they show: others may have filled them meanwhile. The transaction must have ended. // P3
func (t *Transaction) clearLater() {
	for _, c := range t.work.changed {
		all, _ := t.Store.showing(c.table)
		for _, table := range all {
			if table.cache.ID > c.caches {
				*t.local(table.cache) = local{cleared: true}
			}
		}
	}
}

// hashes is for Transaction.
func (c *Cache[K, V]) hashes(keys []any) (hashes []uint64, ok bool) {
	for _, key := range keys {
		k, ok := c.Keys.Convert(key)
		if !ok {
			return nil, false
		}
		if c.Keys.Stable(k) { // else no cache keeps it
			hashes = append(hashes, c.Keys.Hash(k))
		}
	}
	return hashes, true
}
