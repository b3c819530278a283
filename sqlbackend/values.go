package sqlbackend

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

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
//
// Only what transactions with one snapshot have loaded is kept in v, for all transactions: it is right
// under the sums of clears that its snapshot shows, wherever these come again. What others have loaded may be newer
// than its sums. It may show a commit that a failover or a restore of the database has taken back, or that was made in a copy of
// the database, and v would outlive that.
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

// newer is what the tokens end with, as package databases makes them, of values that may be newer
// than their sums.
const newer = "-newer"

// Get gets what transactions with one snapshot have loaded, for others too.
func (w withValues) Get(ctx context.Context, keys []backend.Key) ([][]byte, error) {
	return w.Values.Get(ctx, exact(keys))
}

// GetTimed is Get, and tells how much longer each value is kept.
func (w withValues) GetTimed(ctx context.Context, keys []backend.Key) ([][]byte, []time.Duration, error) {
	return w.Values.GetTimed(ctx, exact(keys))
}

// exact returns the keys under which transactions with one snapshot keep what is asked for.
func exact(keys []backend.Key) []backend.Key {
	keys = slices.Clone(keys)
	for i := range keys {
		keys[i].Token = backend.Token(strings.TrimSuffix(string(keys[i].Token), newer))
	}
	return keys
}

// Set keeps the values that transactions with one snapshot have loaded. // P6, P12
func (w withValues) Set(ctx context.Context, values []backend.Value) error {
	kept := make([]backend.Value, 0, len(values))
	for _, v := range values {
		if !strings.HasSuffix(string(v.Token), newer) {
			kept = append(kept, v)
		}
	}
	if len(kept) == 0 {
		return nil
	}
	return w.Values.Set(ctx, kept)
}

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
