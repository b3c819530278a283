package txcache

import (
	"database/sql"
	"errors"
	"reflect"
	"slices"
	"strings"
)

// An outcome is what the store knows of a commit of the database.
type outcome uint8

const (
	inDoubt   outcome = iota // the database may have committed, or may do so yet
	committed                // it has committed
	refused                  // it has not committed, and will not
	notSent                  // it was not asked
)

// NotCommitted marks err as the database's refusal of a commit: nothing was
// committed, and nothing will be. The commit function of [Tx.CommitWith] returns
// such an error in place of an error that CommitWith does not know. The caches that
// the transaction cleared are then cleared at once. Without the mark the commit
// would be in doubt, and the caches would stay fenced for the fence's lease.
//
// The marked error has the text of err, and errors.Is and errors.As find in it
// what they find in err. NotCommitted(nil) is nil.
//
// A commit function must not mark an error of the way to the database, whatever it
// says: a lost answer tells nothing of the commit. A mark does not count where err
// wraps [ErrInDoubt], or is joined with an error that is not marked.
func NotCommitted(err error) error { return withOutcome(err, refused) }

// NotSent marks err as one that came before the database was asked to commit. The
// commit function of [Tx.CommitWith] returns it. Nothing can have changed, so the
// caches that the transaction cleared are in use again at once, as they were.
//
// Otherwise it is like [NotCommitted]. A mark that is not true loses a clear: if
// the request to commit may have left the process, even in part, the commit function
// must not mark err so.
func NotSent(err error) error { return withOutcome(err, notSent) }

// InDoubt reports whether err leaves it open whether the database has committed, or may do
// so yet. Err is what the commit function has returned to [Tx.CommitWith], which decides in
// the same way; an error of which nothing is known is in doubt. If InDoubt returns false for an
// error, nothing was committed, and the change may be made again.
func (tx *Tx) InDoubt(err error) bool {
	tx.made()
	return outcomeOf(err, tx.h.Store.NotCommitted) == inDoubt
}

// An outcomeError says what the commit function knows of the outcome.
type outcomeError struct {
	error
	outcome outcome
}

func withOutcome(err error, o outcome) error {
	if err == nil {
		return nil
	}
	return &outcomeError{err, o}
}

func (m *outcomeError) Unwrap() error { return m.error }

// outcomeOf returns what a commit function's err says of the commit. The commit is
// in doubt unless err is known to be definite: errors of the way to the database
// have nothing in common by which outcomeOf could know them. // P3
func outcomeOf(err error, notCommitted func(error) bool) (o outcome) {
	if err == nil {
		return committed
	}
	defer func() {
		if recover() != nil { // a method of the error panics
			o = inDoubt
		}
	}()
	if errors.Is(err, ErrInDoubt) {
		return inDoubt
	}
	if o := outcomeOfOne(err); o != inDoubt || notCommitted == nil || !notCommitted(err) {
		return o
	}
	return refused
}

// outcomeOfOne returns what err says by itself. An error that wraps several counts as
// the least certain of them: the commit may have been tried more than once.
func outcomeOfOne(err error) outcome {
	switch e := err.(type) {
	case nil:
		return inDoubt
	case *outcomeError:
		return e.outcome
	case interface{ Unwrap() []error }:
		worst := outcome(notSent)
		all := e.Unwrap()
		for _, part := range all {
			worst = min(worst, outcomeOfOne(part))
		}
		if len(all) == 0 {
			return inDoubt
		}
		return worst
	}
	if err == sql.ErrTxDone {
		return refused // by database/sql, which has not asked the driver
	}
	if state, ok := sqlState(err); ok {
		if refuses(state) {
			return refused
		}
		return inDoubt
	}
	if e, ok := err.(interface{ Unwrap() error }); ok {
		return outcomeOfOne(e.Unwrap())
	}
	return inDoubt
}

// sqlState returns the SQLSTATE of err itself. Drivers have a method of that
// name, or an exported field: MySQLError of go-sql-driver has five bytes.
func sqlState(err error) (state string, ok bool) {
	v := reflect.ValueOf(err)
	if v.Kind() == reflect.Pointer && v.IsNil() {
		return "", false
	}
	if e, ok := err.(interface{ SQLState() string }); ok {
		return e.SQLState(), true
	}
	if v = reflect.Indirect(v); v.Kind() != reflect.Struct {
		return "", false
	}
	switch f := v.FieldByName("SQLState"); {
	case !f.IsValid():
		return "", false
	case f.Kind() == reflect.String:
		return f.String(), true
	case f.Kind() == reflect.Array && f.Type().Elem().Kind() == reflect.Uint8:
		b := make([]byte, f.Len())
		reflect.Copy(reflect.ValueOf(b), f)
		return string(b), true
	}
	return "", false
}

// refusals are the classes of SQLSTATE, its first two characters, by which a
// server says that a statement has failed. A COMMIT that fails has rolled back,
// and with deferred triggers it can fail in every way in which a statement can.
//
// Classes that are missing here leave the commit in doubt: 08, the connection;
// 57, an intervention of an operator, who may have ended the server in the middle;
// 58 and XX, trouble of the server's own, with which anything may have happened;
// HV, another server's answer to a part of the commit; 28 and 70, which proxies
// and servers that are shutting down answer; HY, which says nothing; those of a
// vendor's own; and those to come.
var refusals = strings.Fields(`
	09 0A 20 21 22 23 24 25 27 2D 2F
	38 39 3B 40 42 44 53 54 55 P0`)

// completionUnknown is the one SQLSTATE of class 40, a rollback, that does not
// say that the transaction was rolled back.
const completionUnknown = "40003"

// refuses reports whether state says that a commit has rolled back.
func refuses(state string) bool {
	if len(state) != 5 || state == completionUnknown {
		return false
	}
	return slices.Contains(refusals, state[:2])
}
