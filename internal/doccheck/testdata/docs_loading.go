package page

import (
	"context"
	"database/sql"
	"time"

	"github.com/seed-dad15c92/txcache"
)

type (
	User     struct{ Name string }
	Page     struct{ Theme string }
	Settings struct{ Theme string }
	Report   struct{ Lines []string }
	Token    struct{ Expires time.Time }
)

var (
	ctx   context.Context
	ids   []int64
	db    *sql.DB
	store *txcache.Store
	tx    *txcache.Tx
	cache *txcache.Cache[int64, User]

	user        int64
	pages       *txcache.Cache[int64, Page]
	allSettings *txcache.Cache[string, Settings]

	client string
	token  Token
	tokens *txcache.Cache[string, Token]
)

func fetchToken(ctx context.Context, client string) (Token, error) { return Token{}, nil }

func selectReport(ctx context.Context, db *sql.DB, id int64) (Report, error) { return Report{}, nil }

func loadSettings(ctx context.Context) (Settings, error) { return Settings{}, nil }

func selectUser(ctx context.Context, db *sql.DB, id int64) (User, error) { return User{}, nil }
func selectUsers(ctx context.Context, db *sql.DB, ids []int64) (map[int64]User, error) {
	return nil, nil
}
