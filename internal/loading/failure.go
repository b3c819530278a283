package loading

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"time"

	"github.com/seed-dad15c92/txcache/internal/transaction"
)

// deadlineMargin is how long before a deadline a loader's error is taken to be of
// that deadline: drivers set their time limits rather too early than too late.
const deadlineMargin = 20 * time.Millisecond

// callerEnded reports whether a loader that t called at began, with ctx, and that
// has failed now, may have failed because its caller's time is over: t has ended, or
// ctx has, or is about to.
func callerEnded(ctx context.Context, t *transaction.Transaction, began time.Time) bool {
	if ctx.Err() != nil || t.Ended() {
		return true
	}
	deadline, ok := ctx.Deadline()
	return ok && time.Until(deadline) < max(deadlineMargin, deadline.Sub(began)/10)
}

// isCallerError reports whether err, of a loader, may be of the circumstances of its
// caller, so that the loader of another caller may succeed: a time limit, a connection,
// the state of the database transaction, or what is absent for the caller.
func isCallerError(err error) bool {
	for _, own := range []error{
		ErrAbsent, transaction.ErrTxDone,
		context.Canceled, context.DeadlineExceeded, os.ErrDeadlineExceeded,
		sql.ErrTxDone, sql.ErrConnDone, driver.ErrBadConn,
		net.ErrClosed, io.EOF, io.ErrUnexpectedEOF, io.ErrClosedPipe,
	} {
		if errors.Is(err, own) {
			return true
		}
	}
	var limit interface{ Timeout() bool }
	if errors.As(err, &limit) && limit.Timeout() {
		return true
	}
	var network net.Error
	if errors.As(err, &network) {
		return true
	}
	var answer interface{ SQLState() string }
	if !errors.As(err, &answer) {
		return false
	}
	// Answers of these classes are about the statement: its rows, data, syntax, and
	// what its functions raise. Others tell of a connection, a transaction, or the
	// state of the server.
	code := answer.SQLState()
	return len(code) != 5 || !slices.Contains([]string{"21", "22", "23", "42", "44", "P0"}, code[:2])
}
