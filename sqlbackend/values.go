package sqlbackend

import (
	"context"
	"errors"
	"io"

	"github.com/seed-dad15c92/txcache/backend"
)

// Values is a place for encoded values outside of the process, as a redisbackend.Values. It
// takes no part in what makes transactions right: it may lose any value at any time.
type Values interface {
	backend.Timed
	backend.Limited
	backend.Bounded
	backend.Observed
	io.Closer

	// Drop removes the values of database, as far as it can. They are not asked for again.
	Drop(ctx context.Context, database string) error
}

// WithValues returns b as a backend that also keeps encoded values, in v. Processes whose
// backends share v, and the SQL database, find what others of them have loaded. Closing it closes b and v. What
// b offers beyond backend.Enlister, it offers too.
func WithValues(b *Backend, v Values) backend.Enlister { return withValues{b, v} }

// withValues has the methods of both.
type withValues struct {
	*Backend
	Values
}

var _ interface {
	backend.Isolated
	backend.Preparer
	backend.Defaulted
	backend.Timed
	backend.Limited
	backend.Bounded
	backend.Observed
} = withValues{}

// Drop begins another epoch, and removes the values. Those that are left are never asked for
// again, so they are no reason for an error.
func (w withValues) Drop(ctx context.Context, database string) error {
	if err := w.Backend.Drop(ctx, database); err != nil {
		return err
	}
	if err := w.Values.Drop(ctx, database); err != nil {
		w.log.Warn(ctx, "a database was dropped, and its values were not removed; they expire", "database", database, "error", err)
	}
	return nil
}

// Close closes both.
func (w withValues) Close() error {
	return errors.Join(w.Backend.Close(), w.Values.Close())
}
