package txcache

import (
	"context"
	"errors"
	"fmt"

	"github.com/seed-dad15c92/txcache/internal/databases"
	"github.com/seed-dad15c92/txcache/internal/loading"
	"github.com/seed-dad15c92/txcache/internal/transaction"
)

// Errors to be tested for with errors.Is. Those that a method returns add what
// they concern: the cache, the database, the cause.
var (
	// ErrTxDone is the answer of a transaction that was committed or rolled back.
	ErrTxDone = transaction.ErrTxDone

	// ErrReadOnly is the answer to a clear in a read-only transaction.
	ErrReadOnly = transaction.ErrReadOnly

	// ErrUnavailable says that the backend could not be reached in time. From
	// CommitWith it means that the database commit was not run.
	ErrUnavailable = databases.ErrUnavailable

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
	ErrInDoubt = databases.ErrInDoubt

	// ErrClosed is the answer of a closed store.
	ErrClosed = databases.ErrClosed
)

// errNoAnswer is the cause of the end of a commit function's context.
var errNoAnswer = fmt.Errorf("txcache: the database has not answered the commit within Options.CommitTimeout: %w", context.DeadlineExceeded)

// ErrAbsent is what a loader returns, wrapped or not, to say that there is
// nothing under the key. Load returns it, and until the cache is cleared or the
// time has passed it does so without calling the loader again; see
// CacheOptions.Absent.
//
// It is to be tested for with errors.Is. What a load within a loader returns
// remembers what is absent: to the loader around it that is an error like any
// other, for the order is there though its customer is not. A loader for which
// that makes its own key absent returns ErrAbsent itself, as in
// fmt.Errorf("%w: %w", txcache.ErrAbsent, err).
var ErrAbsent = loading.ErrAbsent

// errNoReturn is what a trace hears of a commit function that panics.
var errNoReturn = errors.New("txcache: the function did not return")
