package redisbackend

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/cause"
)

var errFence = errors.New("txcache: redis: a fence needs an ID, and a time to live of a millisecond at least")

// Fence places or renews f. After it returned, Sync of this Backend shows it,
// whatever Options say.
func (b *Backend) Fence(ctx context.Context, name string, f backend.Fence) error {
	if f.ID == "" || f.Lease < time.Millisecond {
		return errFence
	}
	var items []byte
	for _, g := range f.Caches {
		items = appendEscaped(append(items, ' '), g.Cache)
	}
	items = appendDeletes(items, f.Keys)
	_, err := b.change(ctx, name, opFence, string(f.ID), f.Lease.Milliseconds(), flag(f.All), string(items))
	return err
}

// Clear starts new generations, deletes keys and removes f.
func (b *Backend) Clear(ctx context.Context, name string, f backend.Fence) (*backend.State, error) {
	args := make([]any, 0, 3+2*len(f.Caches))
	args = append(args, string(f.ID), flag(f.All), string(appendDeletes(nil, f.Keys)))
	for _, g := range f.Caches {
		args = append(args, escape(g.Cache), string(g.Token))
	}
	return b.change(ctx, name, opClear, args...)
}

// Unfence removes f.
func (b *Backend) Unfence(ctx context.Context, name string, f backend.Fence) error {
	_, err := b.change(ctx, name, opUnfence, string(f.ID))
	return err
}

func flag(b bool) string {
	if b {
		return "1"
	}
	return "0"
}

// change runs the operation op, which changes the database called name, and returns a
// State that shows it.
func (b *Backend) change(ctx context.Context, name string, op operation, args ...any) (*backend.State, error) {
	if err := b.usable(ctx); err != nil {
		return nil, err
	}
	db := b.info(name)
	start := b.requestStart(db)
	var state *backend.State
	var failure error
	done := make(chan struct{})
	b.run(db, op, &start, args, b.mayBlock(ctx), func(s *backend.State, err error) {
		if s == nil {
			b.invalidate(name, announcement{}) // it may have been done, so the state may have changed
		}
		state, failure = s, err
		close(done)
	})
	if err := b.links.of(db.hash).await(ctx, db.hash, done); err != nil {
		b.invalidate(name, announcement{})
		return nil, err
	}
	if state != nil || failure != nil {
		return state, failure
	}
	// It was done, but epochs changed meanwhile.
	state, err := b.Sync(ctx, name)
	return state, afterwards(err)
}

// afterwards returns the error of a request that follows one which was carried
// out: if it was not sent, that is no answer for the first.
func afterwards(err error) error {
	if r, ok := errors.AsType[notSent](err); ok {
		return r.error
	}
	return err
}

// Drop starts a new epoch of the database called name, then removes its values.
// An error after the first step says so; the values that were left are never
// asked for again, and expire. So do those that a transaction which began
// before publishes after Drop has returned.
func (b *Backend) Drop(ctx context.Context, name string) error {
	if err := b.usable(ctx); err != nil {
		return err
	}
	db := b.info(name)
	cmd := dropScript.command(db.hash, b.layout.channel(), db.announced)
	err := b.do(ctx, db.hash, cmd)
	b.forget(name)
	if err == nil && cmd.Err() != nil {
		err = b.scriptError(cmd.Err())
	}
	if err != nil {
		return err
	}
	if err = b.removeValues(ctx, name); err != nil {
		return fmt.Errorf("txcache: the database is dropped, its values are left to expire: %w", cause.Of(err))
	}
	return nil
}

// removeValues removes the values of the database called name.
func (b *Backend) removeValues(ctx context.Context, name string) error {
	hash := b.layout.hash(name)
	_, err := b.scan(ctx, walk{pattern: b.layout.pattern(name), repeat: true, choose: func(_ context.Context, keys []string) ([]string, error) {
		return without(keys, hash), nil
	}})
	return err
}

// without returns keys but for key, in the same array.
func without(keys []string, key string) []string {
	kept := keys[:0]
	for _, k := range keys {
		if k != key {
			kept = append(kept, k)
		}
	}
	return kept
}
