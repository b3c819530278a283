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

// deadlineMargin is how long before a deadline a loader's error is attributed to that
// deadline: drivers usually set their time limits slightly too early.
const deadlineMargin = 20 * time.Millisecond

// callerEnded reports whether a loader that t called with ctx at began, and that has
// failed now, may have failed because its caller has ended: t has ended, or ctx has
// ended or is near its deadline.
func callerEnded(ctx context.Context, t *transaction.Transaction, began time.Time) bool {
	if ctx.Err() != nil || t.Ended() {
		return true
	}
	deadline, ok := ctx.Deadline()
	return ok && time.Until(deadline) < max(deadlineMargin, deadline.Sub(began)/10)
}

// isCallerError reports whether a loader's err may concern only its caller, so that
// another caller's loader may succeed: a time limit, a connection, the state of the
// database transaction, or an absence that only this caller sees.
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
