package txcache

import (
	"context"
	"errors"
	"fmt"

	"github.com/seed-dad15c92/txcache/internal/databases"
	"github.com/seed-dad15c92/txcache/internal/loading"
	"github.com/seed-dad15c92/txcache/internal/transaction"
)

// Callers must test for these errors with errors.Is. Those that a method returns
// add what they concern: the cache, the database, the cause.
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

	// ErrInDoubt says that the database may still carry out a commit. A commit
	// function wraps it around its error, or joins it with the error; it counts
	// whatever else the error says. The caches that the transaction cleared stay
	// fenced for as long as Options.Fence says, and are cleared then, so that
	// nobody fills them with what such a commit replaces.
	//
	// CommitWith treats every error in this way that it does not know to be
	// definite; see there. The error of Store.Close wraps ErrInDoubt if clears of
	// such commits were still to come.
	ErrInDoubt = databases.ErrInDoubt

	// ErrNotEnlisted is the answer to the commit of a transaction that clears, where the
	// backend keeps the generations in the database and the transaction is not one of
	// [Store.Enlist]: its clears would not be part of the database's commit. The database
	// commit was not run.
	ErrNotEnlisted = errors.New("txcache: the transaction clears and is not enlisted in one of the database: begin it by Store.Enlist or sqltx")

	// ErrClosed is the answer of a closed store.
	ErrClosed = databases.ErrClosed
)

// errNoAnswer is the cause of the end of a commit function's context.
var errNoAnswer = fmt.Errorf("txcache: the database has not answered the commit within Options.CommitTimeout: %w", context.DeadlineExceeded)

// ErrAbsent says that there is nothing under a key. A loader returns it, wrapped or
// not. Load returns it too, and does so without calling the loader again until the
// cache is cleared or the absence has expired; see CacheOptions.Absent.
//
// Callers must test for it with errors.Is. A loader that returns the ErrAbsent of a
// load within it does not make its own key absent: the order exists although its
// customer does not. The error remembers which key is absent. A loader for which
// that makes its own key absent must return ErrAbsent itself, as in
// fmt.Errorf("%w: %w", txcache.ErrAbsent, err).
var ErrAbsent = loading.ErrAbsent

// errNoReturn is the error that a trace gets for a commit function that panics.
var errNoReturn = errors.New("txcache: the function did not return")
