package transaction

import "errors"

// The errors of the package, which the root package exports.
var (
	ErrTxDone   = errors.New("txcache: transaction has already been committed or rolled back")
	ErrReadOnly = errors.New("txcache: transaction is read-only")
)
