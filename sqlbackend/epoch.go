package sqlbackend

import (
	"context"
	"time"

	"github.com/seed-dad15c92/txcache/backend"
)

// newEpoch returns what begins an epoch: a clear of all caches.
func newEpoch() backend.Fence { return backend.Fence{ID: backend.NewToken(), All: true} }

func (b *Backend) insertEpoch(ctx context.Context, p *pool, n *tenant) error {
	_, err := p.db.ExecContext(ctx, b.sql.record, recordArgs(n, newEpoch())...)
	return err
}

// needsEpoch begins an epoch in the background if a view shows none. A snapshot may be
// from before it; so what is committed is looked at.
func (b *Backend) needsEpoch(n *tenant, v *view) {
	if v == nil || v.base.n > 0 {
		return
	}
	b.background(n, &n.epoch, func(ctx context.Context) (pause time.Duration) {
		_, err := b.Sync(ctx, n.name) // begins it, and warns if it cannot
		if err != nil && b.ctx.Err() == nil {
			b.warnEpoch(ctx, n, err)
		}
		return time.Second
	})
}

// background starts a task, unless it is running, or was done a moment ago, or the Backend is closed, and reports
// whether it did. do returns how long the task is not to be done again.
func (b *Backend) background(n *tenant, t *task, do func(ctx context.Context) (pause time.Duration)) (started bool) {
	n.mu.Lock()
	start := t.start()
	n.mu.Unlock()
	if !start {
		return false
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return false
	}
	b.running.Go(func() {
		ctx, cancel := context.WithTimeout(b.ctx, 30*time.Second)
		defer cancel()
		n.end(t, do(ctx))
	})
	return true
}

func (b *Backend) warnEpoch(ctx context.Context, n *tenant, err error) {
	if !isReadOnly(err) {
		b.log.Warn(ctx, "an epoch could not be begun; the caches of the database are private to each transaction", "database", n.name, "table", b.table, "error", err)
	}
}

func (b *Backend) warnBad(ctx context.Context, n *tenant, err error) {
	attrs := []any{"database", n.name, "table", b.table, "column", n.column, "error", err}
	if bad, ok := err.(badRow); ok {
		attrs = append(attrs, "token", bad.row.token)
	}
	b.log.Warn(ctx, "a row of clears cannot be read, so the caches of the database are private to each transaction; to repair it delete all rows of the database, which is always safe", attrs...)
}
