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
// whatever Options say, and no other process uses an earlier state on the strength
// of Options.Lease, or if f is of keys, none that does not show them as fenced.
func (b *Backend) Fence(ctx context.Context, name string, f backend.Fence) error {
	if f.ID == "" || f.Lease < time.Millisecond {
		return errFence
	}
	var items []byte
	for _, g := range f.Caches {
		items = appendEscaped(append(items, ' '), g.Cache)
	}
	items = appendDeletes(items, f.Keys)
	place := func(again bool) (*reply, error) {
		_, r, err := b.change(ctx, name, opFence, string(f.ID), f.Lease.Milliseconds(), flag(f.All), string(items), flag(again))
		return r, err
	}
	r, err := place(false)
	if err != nil {
		return err
	}
	return b.settle(ctx, b.info(name), r, place) // which renews the fence
}

// Clear starts new generations, deletes keys and removes f.
func (b *Backend) Clear(ctx context.Context, name string, f backend.Fence) (*backend.State, error) {
	args := make([]any, 0, 3+2*len(f.Caches))
	args = append(args, string(f.ID), flag(f.All), string(appendDeletes(nil, f.Keys)))
	for _, g := range f.Caches {
		args = append(args, escape(g.Cache), string(g.Token))
	}
	state, r, err := b.change(ctx, name, opClear, args...)
	if err != nil {
		return nil, err
	}
	if state == nil { // it was done, but epochs changed meanwhile
		if state, err = b.Sync(ctx, name); err != nil {
			return nil, afterwards(err)
		}
	}
	// After a fence that stood throughout there is nobody to wait for.
	if err := b.settleChange(ctx, name, r); err != nil {
		return nil, afterwards(err)
	}
	return state, nil
}

// Unfence removes f.
func (b *Backend) Unfence(ctx context.Context, name string, f backend.Fence) error {
	_, _, err := b.change(ctx, name, opUnfence, string(f.ID))
	return err
}

func flag(b bool) string {
	if b {
		return "1"
	}
	return "0"
}

// change runs the operation op, which changes the database called name. It returns a
// State that shows the change, nil where there is no telling which is the newest, and the
// reply, nil where that was not understood.
func (b *Backend) change(ctx context.Context, name string, op operation, args ...any) (*backend.State, *reply, error) {
	if err := b.usable(ctx); err != nil {
		return nil, nil, err
	}
	db := b.info(name)
	start := b.requestStart(db)
	var state *backend.State
	var answer *reply
	var failure error
	done := make(chan struct{})
	b.run(db, op, &start, args, b.mayBlock(ctx), func(s *backend.State, r *reply, err error) {
		if s == nil {
			b.invalidate(name, announcement{}) // it may have been done, so the state may have changed
		}
		state, answer, failure = s, r, err
		close(done)
	})
	if err := b.links.of(db.hash).await(ctx, db.hash, done); err != nil {
		b.invalidate(name, announcement{})
		return nil, nil, err
	}
	return state, answer, failure
}

// afterwards returns the error of a request that follows one which was carried
// out: if it was not sent, that is no answer for the first.
func afterwards(err error) error {
	if r, ok := errors.AsType[notSent](err); ok {
		return r.error
	}
	return err
}

// dropFence is how long a database stays fenced if its drop was not carried out.
const dropFence = 10 * time.Second

// Drop starts a new epoch of the database called name, then removes its values.
// An error after the first step says so; the values that were left are never
// asked for again, and expire. So do those that a transaction which began
// before publishes after Drop has returned.
func (b *Backend) Drop(ctx context.Context, name string) error {
	if err := b.usable(ctx); err != nil {
		return err
	}
	f := backend.Fence{ID: backend.NewToken(), All: true, Lease: dropFence}
	done, err := b.dropHash(ctx, name)
	for tries := 0; err == nil && !done; tries++ {
		// Nobody else may use a state of before when the call returns. While the fence
		// stands nobody registers; it goes with the rest.
		if tries == maxTries {
			err = errUnsettled
		} else if err = b.Fence(ctx, name, f); err == nil {
			done, err = b.dropHash(ctx, name)
		}
	}
	if err != nil {
		return err
	}
	if err = b.removeValues(ctx, name); err != nil {
		return fmt.Errorf("txcache: the database is dropped, its values are left to expire: %w", cause.Of(err))
	}
	return nil
}

// dropHash forgets the generations of the database called name. It reports false if
// others may use a state of it without asking.
func (b *Backend) dropHash(ctx context.Context, name string) (done bool, err error) {
	db := b.info(name)
	cmd := dropScript.command(db.hash, b.layout.channel(), db.announced, b.self, flag(b.expectsMembers.Load()))
	err = b.do(ctx, db.hash, cmd)
	if err == nil && cmd.Val() == int64(0) {
		return false, nil
	}
	b.forget(name)
	if err == nil && cmd.Err() != nil {
		err = b.scriptError(cmd.Err())
	}
	return err == nil, err
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
