package txcache

import (
	"context"
	"errors"
	"fmt"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/cause"
)

// Errors to be tested for with errors.Is. Those that a method returns add what
// they concern: the cache, the database, the cause.
var (
	// ErrTxDone is the answer of a transaction that was committed or rolled back.
	ErrTxDone = errors.New("txcache: transaction has already been committed or rolled back")

	// ErrReadOnly is the answer to a clear in a read-only transaction.
	ErrReadOnly = errors.New("txcache: transaction is read-only")

	// ErrUnavailable says that the backend could not be reached in time. From
	// CommitWith it means that the database commit was not run.
	ErrUnavailable = errors.New("txcache: backend is unavailable")

	// ErrDuplicate says that a store has a cache of that name already.
	ErrDuplicate = errors.New("txcache: duplicate cache name")

	// ErrInDoubt is for a commit function to wrap around an error, or to join
	// with it, if the database may still carry out the commit: it counts whatever
	// else the error says. The caches that the transaction cleared stay fenced for
	// as long as Options.Fence says, and are cleared then, so that nobody fills
	// them with what such a commit replaces.
	//
	// CommitWith takes every error for such that it does not know to be definite;
	// see there. The error of Store.Close wraps ErrInDoubt if clears of such
	// commits were put off still.
	ErrInDoubt = errors.New("txcache: commit is in doubt")

	// ErrClosed is the answer of a closed store.
	ErrClosed = errors.New("txcache: store is closed")
)

// errNoAnswer is the cause of the end of a commit function's context.
var errNoAnswer = fmt.Errorf("txcache: the database has not answered the commit within Options.CommitTimeout: %w", context.DeadlineExceeded)

// unavailable turns an error of the backend into the one that the user gets:
// ErrClosed, or else ErrUnavailable with the cause, which is the context's where
// that has ended the call.
func unavailable(ctx context.Context, doing, database string, err error) error {
	switch {
	case errors.Is(err, backend.ErrClosed):
		return fmt.Errorf("%w: %s of database %q", ErrClosed, doing, database)
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	}
	return fmt.Errorf("%w: %s of database %q: %w", ErrUnavailable, doing, database, cause.Of(err))
}
