package databases

import (
	"context"
	"errors"
	"fmt"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/cause"
)

// The errors of the package, which the root package exports.
var (
	ErrUnavailable = errors.New("txcache: backend is unavailable")
	ErrInDoubt     = errors.New("txcache: commit is in doubt")
	ErrClosed      = errors.New("txcache: store is closed")
)

// Unavailable turns an error of the backend into the one that the user gets:
// ErrClosed, or else ErrUnavailable with the cause, which is the context's where
// that has ended the call.
func Unavailable(ctx context.Context, doing, database string, err error) error {
	switch {
	case errors.Is(err, backend.ErrClosed):
		return fmt.Errorf("%w: %s of database %q", ErrClosed, doing, database)
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	}
	return fmt.Errorf("%w: %s of database %q: %w", ErrUnavailable, doing, database, cause.Of(err))
}
