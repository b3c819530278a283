package backendtest_test

import (
	"context"
	"database/sql"
	"testing"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/backend/backendtest"
	"github.com/seed-dad15c92/txcache/internal/enlistertest"
)

// underTest returns an authority in memory, whose Enlisters a test may break.
func underTest(db *enlistertest.DB, open func(*enlistertest.Backend) backend.Enlister) backendtest.EnlisterAuthority {
	return backendtest.EnlisterAuthority{
		Open: func(context.Context) (backend.Enlister, error) { return open(db.Backend()), nil },
		Begin: func(_ context.Context, opts *sql.TxOptions) (backendtest.EnlistedTx, error) {
			return db.Begin(opts.Isolation == sql.LevelRepeatableRead), nil
		},
		Fold: func(_ context.Context, database string) error {
			db.Fold(database)
			return nil
		},
		Lose: func(_ context.Context, database string) error {
			db.Lose(database)
			return nil
		},
		Backup: func(context.Context) (func(context.Context) error, error) {
			s := db.Snapshot()
			return func(context.Context) error {
				db.Restore(s)
				return nil
			}, nil
		},
	}
}

func TestReferenceEnlisterKeepsEveryRule(t *testing.T) {
	backendtest.RunEnlister(t, func(*testing.T) backendtest.EnlisterAuthority {
		return underTest(enlistertest.New(), func(b *enlistertest.Backend) backend.Enlister { return b })
	})
}
