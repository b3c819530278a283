package txcache

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"

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

	// ErrInDoubt is for a commit function to wrap around an error that is of the
	// way to the database, not its answer: the database may still carry out the
	// commit. The caches that the transaction cleared stay fenced for as long as
	// Options.Fence says, and are cleared then, so that nobody fills them with what
	// such a commit replaces.
	//
	// CommitWith takes for such by itself: errors of contexts and networks, answers
	// whose SQLSTATE is of class 08 or 57, and other errors that speak of a
	// connection.
	ErrInDoubt = errors.New("txcache: commit is in doubt")

	// ErrClosed is the answer of a closed store.
	ErrClosed = errors.New("txcache: store is closed")
)

// inDoubt reports whether the database may carry out a commit after it failed
// with err.
func inDoubt(err error) bool {
	if err == nil {
		return false
	}
	for _, sign := range []error{
		ErrInDoubt, context.Canceled, context.DeadlineExceeded, os.ErrDeadlineExceeded,
		net.ErrClosed, io.EOF, io.ErrUnexpectedEOF, io.ErrClosedPipe,
	} {
		if errors.Is(err, sign) {
			return true
		}
	}
	var network net.Error
	if errors.As(err, &network) {
		return true
	}
	// What a server of SQL answers says by its class whether it is of the way: 08
	// is the connection's, 57 an operator's, who may have ended it.
	var answer interface{ SQLState() string }
	if errors.As(err, &answer) {
		return strings.HasPrefix(answer.SQLState(), "08") || strings.HasPrefix(answer.SQLState(), "57")
	}
	// Drivers have errors of their own for a connection that is gone, which have
	// nothing in common but their words.
	text := err.Error()
	return strings.Contains(text, "connection") || strings.Contains(text, "conn closed")
}

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
