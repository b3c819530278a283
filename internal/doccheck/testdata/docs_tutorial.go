package page

import (
	"context"

	"github.com/seed-dad15c92/txcache"
)

// A beginner is a pool of a driver that is not one of database/sql.
type beginner interface {
	Begin(context.Context) (transaction, error)
}

type transaction interface {
	Commit(context.Context) error
	Rollback(context.Context) error
}

var (
	pool  beginner
	store *txcache.Store
)
