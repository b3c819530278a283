package page

import (
	"context"
	"database/sql"

	"github.com/seed-dad15c92/txcache"
)

var (
	ctx    context.Context
	db     *sql.DB
	store  *txcache.Store
	prices *txcache.Cache[string, int]
)
