package page

import (
	"context"
	"database/sql"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/sqltx"
)

type User struct{ Name string }

var (
	ctx   context.Context
	db    *sql.DB
	store *txcache.Store
	users *txcache.Cache[int64, User]
)

func selectUser(ctx context.Context, tx *sqltx.Tx, id int64) (User, error) { return User{}, nil }
