package codec

import (
	"errors"
	"fmt"
	"reflect"
)

// ErrUnsupported is what Append returns, wrapped in the reason, for a type or a
// value that cannot be encoded without losing something. It does not pass by
// trying again.
var ErrUnsupported = errors.New("txcache: value cannot be encoded")

// ErrMalformed is what Decode returns, wrapped in the reason, for data that
// Append did not make from a value of this type.
var ErrMalformed = errors.New("txcache: malformed data")

// ErrAbsent and ErrLease are what Decode returns for an envelope of AppendAbsent
// and of AppendLease.
var (
	ErrAbsent = errors.New("txcache: nothing is there")
	ErrLease  = errors.New("txcache: a value is being loaded")
)

func unsupported(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrUnsupported, fmt.Sprintf(format, args...))
}

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
}

// A methodError is the failure of a user's own method. Its text leaves out that
// of the cause, which may quote the value; errors.Is and errors.As find it.
type methodError struct {
	kind  error
	typ   reflect.Type
	cause error
}

func (e *methodError) Error() string {
	return fmt.Sprintf("%v: a method of %s failed with a %T", e.kind, e.typ, e.cause)
}

func (e *methodError) Unwrap() []error { return []error{e.kind, e.cause} }

// panicked is what a user's method has panicked with.
type panicked string

func (p panicked) Error() string { return "panic: " + string(p) }
