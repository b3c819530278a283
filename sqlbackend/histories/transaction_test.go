package histories_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/sqltx"
)

// A transaction is both sides of one.
type transaction struct {
	*worker
	server *server
	cache  *txcache.Tx
	sql    queryer
	exact  bool
	tally  *tally
	floor  content      // what was committed when a transaction began that is not exact
	since  int64        // the outages before floor was read: one after it may have lost what it shows
	own    map[int]bool // rows that it has changed
	early  map[int]bool // keys that it has deleted and loaded before it changed the row: it finds what it loaded

	batch bool     // hits are compared at the end
	all   *content // what its own SQL shows, once it was read
	hits  []hit

	commit, rollback func() error
}

// A hit is a value that a transaction found in a cache.
type hit struct {
	cache *txcache.Cache[int, value]
	key   int
	value value
}

// begin begins a transaction in one of several ways.
func (w *worker) begin(s *server, readOnly bool) (x *transaction, err error) {
	w.begun.Add(1)
	at := w.level(s.backend.Dialect(), readOnly, s.standby)
	x = &transaction{worker: w, server: s, exact: at.exact, since: w.outages.Load(), own: map[int]bool{}, early: map[int]bool{}}
	how := w.random.IntN(8)
	plain := how == 0 && readOnly && !s.elsewhere
	if plain {
		x.exact = false
	}
	switch {
	case !x.exact:
		x.tally = &w.loose
		if x.floor, err = read(w.ctx, s.db); err != nil {
			return nil, err
		}
	case s.standby:
		x.tally = &w.onStandby
	default:
		x.tally = &w.counts.exact
	}
	w.pause()
	opts := &sql.TxOptions{ReadOnly: readOnly, Isolation: at.isolation}
	switch {
	case plain:
		return x, x.beginPlain()
	case how == 1 && at.isolation == sql.LevelRepeatableRead:
		return x, x.enlist(opts)
	}
	tx, err := sqltx.Begin(w.ctx, s.store, database, s.db, opts)
	if err != nil {
		return nil, err
	}
	x.cache, x.sql, x.commit, x.rollback = tx.Cache, tx, tx.Commit, tx.Rollback
	return x, nil
}

// beginPlain begins one of the cache alone, which loads by statements of their own.
func (x *transaction) beginPlain() (err error) {
	x.cache, err = x.server.store.BeginReadOnly(x.ctx, database)
	x.sql = x.server.db
	x.commit, x.rollback = func() error { return x.cache.Commit(x.ctx) }, x.cache.Rollback
	return err
}

// enlist begins a transaction of database/sql, and enlists it.
func (x *transaction) enlist(opts *sql.TxOptions) error {
	tx, err := x.server.db.BeginTx(x.ctx, opts)
	if err != nil {
		return err
	}
	x.pause()
	x.cache, err = x.server.store.Enlist(x.ctx, database, sqltx.Querier(tx), &txcache.EnlistOptions{ReadOnly: opts.ReadOnly, Exact: x.exact})
	if err != nil {
		return errors.Join(err, tx.Rollback())
	}
	x.sql = tx
	x.rollback = func() error { return errors.Join(tx.Rollback(), x.cache.Rollback()) }
	x.commit = func() error {
		err := x.cache.CommitWith(x.ctx, func(context.Context) error {
			x.pause()
			return tx.Commit()
		})
		if err != nil {
			_ = tx.Rollback() // it is over, unless the record failed
		}
		return err
	}
	return nil
}

// get loads a value at random, and checks it if it was a hit.
func (x *transaction) get() error {
	s := x.server
	c := []*txcache.Cache[int, value]{s.row, s.row, s.pair, s.warm}[x.random.IntN(4)]
	key := x.random.IntN(rows)
	found := hit{cache: c, key: key}
	loaded := false
	var err error
	found.value, err = c.Load(x.ctx, x.cache, key, func(ctx context.Context) (value, error) {
		loaded = true
		return s.load(ctx, x.sql, c, key, x.pause)
	})
	if err != nil || loaded || c == s.row && x.early[key] {
		return err
	}
	return x.check(found)
}

// check counts a hit, and compares it with what it must be.
func (x *transaction) check(f hit) error {
	if !x.exact && x.outages.Load() != x.since {
		return nil
	}
	x.tally.hits.Add(1)
	for i, row := range x.server.shows(f.cache, f.key) {
		if !x.own[row] {
			x.worker.seen[stored{row, f.value[i]}] = true
		}
	}
	switch {
	case !x.exact:
		x.compare(f, x.floor, "was committed when the transaction began")
	case x.batch:
		if x.hits = append(x.hits, f); x.all != nil {
			x.compareAll()
		}
	default:
		var is content
		for _, row := range x.server.shows(f.cache, f.key) {
			v, err := readRow(x.ctx, x.sql, row)
			if err != nil {
				return err
			}
			is[row] = v
		}
		x.compare(f, is, "is what the transaction itself reads")
	}
	return nil
}

// compare compares a hit with the content that an exact transaction has, or another at least.
func (x *transaction) compare(f hit, with content, what string) {
	older, newer := false, false
	for i, row := range x.server.shows(f.cache, f.key) {
		older = older || f.value[i] < with[row]
		newer = newer || f.value[i] > with[row]
	}
	if older {
		x.tally.stale.Add(1)
	} else if newer {
		x.tally.newer.Add(1)
	}
	if older || newer && x.exact {
		x.t.Errorf("%s: %s %d is %v by the cache, and %v %s", x.server.name, f.cache.Name(), f.key, f.value, with, what)
	}
}

// readAll reads all rows, once, for hits to be compared with.
func (x *transaction) readAll() error {
	if x.all != nil {
		return nil
	}
	all, err := read(x.ctx, x.sql)
	x.all = &all
	return err
}

// compareAll compares the hits that were not yet compared.
func (x *transaction) compareAll() {
	for _, f := range x.hits {
		x.compare(f, *x.all, "is what the transaction itself reads")
	}
	x.hits = x.hits[:0]
}

// read is a transaction that reads.
func (w *worker) read() error {
	servers := append(w.servers[:len(w.servers):len(w.servers)], w.replica...)
	x, err := w.begin(servers[w.random.IntN(len(servers))], true)
	if err != nil {
		return err
	}
	defer x.rollback()
	x.batch = x.exact && w.random.IntN(3) > 0
	if x.batch && w.random.IntN(2) == 0 {
		if err := x.readAll(); err != nil {
			return err
		}
	}
	for range 4 + w.random.IntN(60) {
		if w.random.IntN(4) == 0 {
			w.pause()
		}
		if err := x.get(); err != nil {
			return err
		}
	}
	if x.batch {
		if err := x.readAll(); err != nil {
			return err
		}
		x.compareAll()
	}
	return x.commit()
}

// write is a transaction that writes.
func (w *worker) write() error {
	if w.rest > 0 {
		time.Sleep(time.Duration(w.random.Int64N(int64(w.rest))))
	}
	x, err := w.begin(w.servers[w.random.IntN(len(w.servers))], false)
	if err != nil {
		return err
	}
	defer x.rollback()
	var written []stored
	for row := w.random.IntN(rows); row < rows; row += 1 + w.random.IntN(2*rows) { // upwards, so that there are few deadlocks
		for range w.random.IntN(3) {
			if err := x.get(); err != nil {
				return err
			}
		}
		w.pause()
		v, err := x.put(row)
		if err != nil {
			return err
		}
		written = append(written, stored{row, v})
		for range w.random.IntN(3) {
			w.pause()
			if err := x.get(); err != nil {
				return err
			}
		}
	}
	w.pause()
	if w.random.IntN(5) == 0 {
		w.undone.Add(1)
		return x.rollback()
	}
	if err := x.commit(); err != nil {
		return err
	}
	w.commits.Add(1)
	w.mu.Lock()
	for _, s := range written {
		w.committed[s] = true
	}
	w.mu.Unlock()
	if w.baselines != nil {
		w.pause()
		w.baselines.wrote(written)
	}
	return nil
}

// put changes a row and clears what shows it, before or after.
func (x *transaction) put(row int) (v int64, err error) {
	s := x.server
	before := x.random.IntN(4)
	switch before {
	case 0: // the key, and what it loads then is the row as it was
		if err := errors.Join(s.row.Delete(x.cache, row)); err != nil {
			return 0, err
		}
		if _, err := s.row.Load(x.ctx, x.cache, row, func(ctx context.Context) (value, error) {
			return s.load(ctx, x.sql, s.row, row, x.pause)
		}); err != nil {
			return 0, err
		}
		x.early[row] = true
	case 1:
		if err := x.server.clear(x.random, x.cache, row, unknown); err != nil {
			return 0, err
		}
		x.pause()
	}
	// Versions grow, and one that is rolled back is not given again.
	more := 1 + x.random.IntN(1<<30)
	if _, err := x.sql.ExecContext(x.ctx, fmt.Sprintf("UPDATE item SET v = v + %d WHERE id = %d", more, row)); err != nil {
		return 0, err
	}
	if x.baselines != nil {
		if err := x.baselines.write(x.ctx, x.sql, row); err != nil {
			return 0, err
		}
	}
	x.pause()
	if v, err = readRow(x.ctx, x.sql, row); err != nil {
		return 0, err
	}
	x.own[row], x.floor[row] = true, v
	switch before {
	case 0:
		return v, errors.Join(s.pair.Clear(x.cache), s.warm.Clear(x.cache))
	case 1:
	default:
		if err := x.server.clear(x.random, x.cache, row, v-int64(more)); err != nil {
			return 0, err
		}
	}
	if x.random.IntN(2) == 0 {
		s.row.Set(x.cache, row, value{v})
		s.warm.Set(x.cache, row, value{v})
		delete(x.early, row)
	}
	return v, nil
}

// deleteMany deletes keys that have no row.
func (w *worker) deleteMany(s *server, first int) error {
	keys := make([]int, junk)
	for i := range keys {
		keys[i] = first + i
	}
	return sqltx.Update(w.ctx, s.store, database, s.db, nil, func(tx *sqltx.Tx) error { return s.row.Delete(tx.Cache, keys...) })
}
