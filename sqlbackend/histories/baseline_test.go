package histories_test

import (
	"context"
	"database/sql"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/jackc/pgx/v5"

	"github.com/seed-dad15c92/txcache/sqlbackend"
)

// baselines are simple caches of the same rows, as services have them. Each is wrong. Their
// faults show that the histories find such.
type baselines struct {
	engine *engine

	generation atomic.Int64 // how many notifications have come

	newest baseline // under the largest id in a log of changes
	notify baseline // under the number of notifications that have come
	delete baseline // deleted after the commit
}

// A baseline is a cache, whose values are kept under a token.
type baseline struct {
	name string
	tally

	mu     sync.Mutex
	token  int64 // the newest
	values map[place]int64
}

type place struct {
	row   int
	token int64
}

func newBaselines(e *engine) *baselines {
	return &baselines{engine: e, newest: baseline{name: "max(id)"}, notify: baseline{name: "LISTEN/NOTIFY"}, delete: baseline{name: "delete after commit"}}
}

// compare has baselines run beside the cache, of which each must be found to be wrong.
func (h *history) compare(b *baselines) {
	h.baselines = b
	h.goals = append(h.goals, b.right)
}

func (b *baselines) start(h *history, group *sync.WaitGroup) {
	listening, stop := context.WithCancel(h.ctx)
	if b.notifies() {
		conn, err := pgx.Connect(h.ctx, b.engine.dsn)
		if err == nil {
			_, err = conn.Exec(h.ctx, "LISTEN item")
		}
		if err != nil {
			h.t.Error(err)
			stop()
			return
		}
		group.Go(func() {
			for {
				if _, err := conn.WaitForNotification(listening); err != nil {
					_ = conn.Close(context.WithoutCancel(h.ctx))
					return
				}
				b.generation.Add(1)
			}
		})
	}
	var readers sync.WaitGroup
	h.run(&readers, 5, 6, b.read)
	group.Go(func() {
		defer stop()
		readers.Wait()
	})
}

// notifies reports whether the database has NOTIFY.
func (b *baselines) notifies() bool { return b.engine.dialect == sqlbackend.Postgres }

// write is what a writer does in its transaction.
func (b *baselines) write(ctx context.Context, q queryer, row int) error {
	if _, err := q.ExecContext(ctx, fmt.Sprintf("INSERT INTO item_log (item) VALUES (%d)", row)); err != nil {
		return err
	}
	if !b.notifies() {
		return nil
	}
	_, err := q.ExecContext(ctx, "NOTIFY item")
	return err
}

// wrote is what a writer does after its commit.
func (b *baselines) wrote(written []stored) {
	b.delete.mu.Lock()
	defer b.delete.mu.Unlock()
	for _, s := range written {
		delete(b.delete.values, place{s.row, 0})
	}
}

// read is a transaction at repeatable read that reads with each baseline.
func (b *baselines) read(w *worker) error {
	generation := b.generation.Load()
	w.pause()
	tx, err := w.servers[0].db.BeginTx(w.ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return err
	}
	defer tx.Rollback()
	var newest int64
	if err := tx.QueryRowContext(w.ctx, "SELECT COALESCE(MAX(id), 0) FROM item_log").Scan(&newest); err != nil {
		return err
	}
	for range 20 {
		row := w.random.IntN(rows)
		is, err := readRow(w.ctx, tx, row)
		if err != nil {
			return err
		}
		b.newest.get(w, place{row, newest}, is)
		if b.notifies() {
			b.notify.get(w, place{row, generation}, is)
		}
		b.delete.get(w, place{row, 0}, is)
	}
	return nil
}

// get counts a hit, compared with what the transaction reads, or keeps what it has read.
func (b *baseline) get(w *worker, at place, is int64) {
	b.mu.Lock()
	v, hit := b.values[at]
	b.mu.Unlock()
	switch {
	case !hit:
		w.pause()
		b.put(at, is)
		return
	case v < is:
		b.stale.Add(1)
	case v > is:
		b.newer.Add(1)
	}
	b.hits.Add(1)
}

func (b *baseline) put(at place, v int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if at.token > b.token || b.values == nil {
		b.token = at.token
		b.values = map[place]int64{}
	}
	b.values[at] = v
}

// all returns those that the database has and is wrong with: where one transaction writes at a time, ids
// become visible in their order.
func (b *baselines) all() []*baseline {
	all := []*baseline{&b.delete}
	if b.engine.dialect != sqlbackend.SQLite {
		all = append(all, &b.newest)
	}
	if b.notifies() {
		all = append(all, &b.notify)
	}
	return all
}

// right is the goal that the history has found the faults of each baseline.
func (b *baselines) right() string {
	for _, b := range b.all() {
		if b.stale.Load() == 0 {
			return fmt.Sprintf("no hit of %s was stale: this history would not find a fault", b.name)
		}
	}
	return ""
}
