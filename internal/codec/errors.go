package codec

import (
	"errors"
	"fmt"
)

// ErrUnsupported is what Append returns, wrapped in the reason, for a type or a
// value that cannot be encoded without losing something. It does not pass by
// trying again.
var ErrUnsupported = errors.New("txcache: value cannot be encoded")

// ErrMalformed is what Decode returns, wrapped in the reason, for data that
// Append did not make from a value of this type.
var ErrMalformed = errors.New("txcache: malformed data")

func unsupported(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrUnsupported, fmt.Sprintf(format, args...))
}

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
}
