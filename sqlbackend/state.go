package sqlbackend

import (
	"context"
	"fmt"
	"time"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/cause"
	"github.com/seed-dad15c92/txcache/internal/querier"
)

// Prepare makes sure that the table is there and that the database has an epoch, if that is not known yet. A caller
// that begins a transaction calls it first: within the transaction an error would
// abort it, and the first state would be private.
func (b *Backend) Prepare(ctx context.Context, database string) error {
	n, err := b.usable(ctx, database)
	if err != nil {
		return err
	}
	n.mu.Lock()
	ready := n.pool != nil && len(n.views) > 0
	n.mu.Unlock()
	if ready {
		return nil
	}
	_, err = b.Sync(ctx, database)
	return err
}

// Sync returns the state that is committed.
func (b *Backend) Sync(ctx context.Context, database string) (*backend.State, error) {
	n, err := b.usable(ctx, database)
	if err != nil {
		return nil, err
	}
	p, release, err := b.pool(ctx, n)
	if err != nil {
		return nil, err
	}
	defer release()
	v, _, err := b.read(ctx, querier.Of(p.db), n)
	if err != nil {
		return nil, b.stateError(n, err)
	}
	if v != nil && v.base.n == 0 {
		return b.beginEpoch(ctx, p, n)
	}
	return stateOf(v), nil
}

// beginEpoch begins an epoch, unless another goroutine or process has done so meanwhile, and
// returns the state that is committed then.
func (b *Backend) beginEpoch(ctx context.Context, p *pool, n *tenant) (*backend.State, error) {
	select {
	case n.beginning <- struct{}{}:
		defer func() { <-n.beginning }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	v, _, err := b.read(ctx, querier.Of(p.db), n)
	if err == nil && v != nil && v.base.n == 0 {
		if err := b.insertEpoch(ctx, p, n); err != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			b.warnEpoch(ctx, n, err)
			return private(), nil
		}
		v, _, err = b.read(ctx, querier.Of(p.db), n)
	}
	if err != nil {
		return nil, b.stateError(n, err)
	}
	return stateOf(v), nil
}

// stateOf returns the State of a view, which is nil if a row could not be read.
func stateOf(v *view) *backend.State {
	if v == nil || v.base.n == 0 {
		return private()
	}
	return v.state
}

// read returns the view of what q shows, and whether q has one snapshot. The view is nil
// if a row cannot be read.
func (b *Backend) read(ctx context.Context, q backend.Querier, n *tenant) (v *view, exact bool, err error) {
	args, known := n.args()
	state := b.sql.state
	if p := n.prepared(); p != nil {
		state = p.state
	}
	statement := state.plain[len(known)]
	if n.busy() {
		statement = state.indexed[len(known)]
	}
	var all []*row
	var level string
	err = q.Query(ctx, statement, args, func(scan func(...any) error) error {
		var token, n int64
		var clears string
		if err := scan(&token, &n, &clears, &level); err != nil {
			return err
		}
		all = append(all, newRow(token, n, clears, known))
		return nil
	})
	if err != nil {
		return nil, false, err
	}
	v, many, err := n.view(all)
	if many {
		b.foldLater(n)
	}
	if err != nil {
		b.warnBad(ctx, n, err)
		v = nil
	}
	return v, b.dialect.exact(level), nil
}

func (b *Backend) stateError(n *tenant, err error) error {
	advice := ""
	if b.missing(n, err) {
		advice = "; the Backend creates the table before a transaction begins that was prepared by Prepare"
	}
	return fmt.Errorf("txcache: sql: state of database %q: %w%s", n.name, cause.Of(err), advice)
}

// State returns the state that q shows.
func (b *Backend) State(ctx context.Context, q backend.Querier, database string) (*backend.State, error) {
	s, _, err := b.StateExact(ctx, q, database)
	return s, err
}

// patience is how long a transaction waits for what should have been prepared, which it may
// itself be in the way of.
const patience = 3 * time.Second

// prepareInTime makes sure that the table is there, if that is not known yet, and waits no longer than patience.
func (b *Backend) prepareInTime(ctx context.Context, n *tenant) error {
	if n.prepared() != nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	_, release, err := b.pool(ctx, n)
	switch {
	case err == nil:
		release()
	case ctx.Err() == nil:
		return err
	}
	return nil
}

// StateExact is State, and reports whether q has one snapshot. On MySQL and MariaDB it tells the level
// of the session: a transaction whose own level was set by SET TRANSACTION, as
// database/sql does, does not show it. Where there are no rows it is false, and the state is private.
func (b *Backend) StateExact(ctx context.Context, q backend.Querier, database string) (*backend.State, bool, error) {
	n, err := b.usable(ctx, database)
	if err != nil {
		return nil, false, err
	}
	if err := b.prepareInTime(ctx, n); err != nil {
		return nil, false, err
	}
	v, exact, err := b.read(ctx, q, n)
	if err != nil {
		return nil, false, b.stateError(n, err)
	}
	b.needsEpoch(n, v)
	return stateOf(v), exact, nil
}
