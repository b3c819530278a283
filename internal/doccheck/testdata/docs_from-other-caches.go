package page

import (
	"context"
	"database/sql"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/sqltx"
)

type (
	User struct{ Name string }
	Book struct{ Title, Author string }
)

var (
	ctx   context.Context
	db    *sql.DB
	store *txcache.Store
	tx    *txcache.Tx
	dbtx  *sqltx.Tx
	users *txcache.Cache[int64, User]
)

func selectUser(ctx context.Context, tx *sqltx.Tx, id int64) (User, error) { return User{}, nil }
func selectUsers(ctx context.Context, tx *sqltx.Tx, ids []int64) (map[int64]User, error) {
	return nil, nil
}
