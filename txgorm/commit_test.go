package txgorm_test

import (
	"context"
	"errors"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/jackc/pgx/v5/pgconn"
	"gorm.io/gorm"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/config"
	"github.com/seed-dad15c92/txcache/txgorm"
)

// onCommit makes each commit of a change of product 1 do something in the database.
func (s *stage) onCommit(t *testing.T, do string) {
	t.Helper()
	for _, statement := range []string{
		"CREATE FUNCTION hesitate() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN " + do + " RETURN NULL; END $$",
		"CREATE CONSTRAINT TRIGGER hesitate AFTER UPDATE ON products DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.id = 1) EXECUTE FUNCTION hesitate()",
	} {
		if err := s.db.Exec(statement).Error; err != nil {
			t.Fatal(err)
		}
	}
}

// ways are those to change a row in a transaction of its own.
var ways = map[string]func(db *gorm.DB) error{
	"Transaction": func(db *gorm.DB) error {
		return db.Transaction(func(tx *gorm.DB) error { return setPrice(tx, 1, 12) })
	},
	"Begin and Commit": func(db *gorm.DB) error {
		tx := db.Begin()
		defer tx.Rollback()
		if err := setPrice(tx, 1, 12); err != nil {
			return err
		}
		return tx.Commit().Error
	},
	"a statement alone": func(db *gorm.DB) error { return setPrice(db, 1, 12) },
	"a statement alone, skipping": func(db *gorm.DB) error {
		return setPrice(db.Session(&gorm.Session{SkipDefaultTransaction: true}), 1, 12)
	},
}

// An unknown outcome reaches the caller, however the transaction was begun; nothing stale is read
// meanwhile.
func TestUnknownOutcome(t *testing.T) {
	s := newStage(t, kinds[0])
	s.onCommit(t, "PERFORM pg_terminate_backend(pg_backend_pid());")
	s.fill(t)
	for name, change := range ways {
		if err := change(s.db); !errors.Is(err, txgorm.ErrUnknownOutcome) {
			t.Errorf("%s: the commit answers %v, want ErrUnknownOutcome", name, err)
		}
		s.expect(t, "while it is in doubt", 0, 20, 30)
	}
	if got := s.read(t, 1); got != 10 {
		t.Errorf("others read %d, want 10", got)
	}
}

// A commit that the database has refused is its error, and the cache is as it was.
func TestRefusedCommit(t *testing.T) {
	for _, k := range kinds[:3] {
		t.Run(k.name, func(t *testing.T) {
			s := newStage(t, k)
			s.onCommit(t, "RAISE EXCEPTION 'no' USING ERRCODE = '23514';")
			for name, change := range ways {
				err := change(s.db)
				refused, ok := errors.AsType[*pgconn.PgError](err)
				if !ok || refused.Code != "23514" || errors.Is(err, txgorm.ErrUnknownOutcome) {
					t.Errorf("%s: the commit answers %v, want the database's refusal", name, err)
				}
				if got := s.read(t, 1); got != 10 {
					t.Errorf("%s: others read %d, want 10", name, got)
				}
			}
		})
	}
}

// P8: a commit whose clear cannot be announced is refused before the database commits.
func TestOutageRefusesTheCommit(t *testing.T) {
	redis := miniredis.RunT(t)
	s := newStage(t, kind{dialect: overPostgres, newStore: func(t testing.TB, _ *gorm.DB) *txcache.Store {
		cfg := config.Default()
		cfg.Class, cfg.Redis.URI = config.ClassRedis, "redis://"+redis.Addr()
		store, err := txcache.OpenConfig(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { store.Close() })
		return store
	}})
	s.fill(t)
	redis.Close()
	for name, change := range ways {
		if err := change(s.db); !errors.Is(err, txcache.ErrUnavailable) {
			t.Errorf("%s: the commit answers %v, want ErrUnavailable", name, err)
		}
	}
	if got := s.fromDatabase(t, 1); got != 10 {
		t.Errorf("the database has %d, want 10", got)
	}
	if got := s.read(t, 1); got != 10 { // in spite of the outage
		t.Errorf("others read %d, want 10", got)
	}
}

// A change in a transaction that the cache does not hear of is refused, not made.
func TestAChangeThatTheCacheDoesNotHearOf(t *testing.T) {
	s := newStage(t, kinds[0])
	s.fill(t)
	err := s.db.Connection(func(tx *gorm.DB) error {
		return tx.Transaction(func(tx *gorm.DB) error { return setPrice(tx, 1, 12) })
	})
	if err == nil {
		t.Error("a transaction of Connection has changed a row")
	}
	err = s.db.Connection(func(tx *gorm.DB) error {
		return setPrice(tx.Session(&gorm.Session{SkipDefaultTransaction: true}), 1, 12)
	})
	if err == nil {
		t.Error("a connection has changed a row in no transaction")
	}
	if got := s.fromDatabase(t, 1); got != 10 {
		t.Errorf("the database has %d, want 10", got)
	}
}

// A pool that is no *sql.DB, and a store that is nil, are refused.
func TestUseIsRefused(t *testing.T) {
	s := newStage(t, kinds[0])
	if err := s.db.Session(&gorm.Session{}).Use(txgorm.New(s.store, "other")); !errors.Is(err, gorm.ErrRegistered) {
		t.Errorf("a second plugin: %v, want ErrRegistered", err)
	}
	other, err := gorm.Open(overSQLite(t))
	if err != nil {
		t.Fatal(err)
	}
	sqldb, err := other.DB()
	if err != nil {
		t.Fatal(err)
	}
	defer sqldb.Close()
	if err := other.Use(txgorm.New(nil, "shop")); err == nil {
		t.Error("a store that is nil is used")
	}
	conn, err := sqldb.Conn(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	other.ConnPool = conn
	other.Plugins = map[string]gorm.Plugin{}
	if err := other.Use(txgorm.New(s.store, "shop")); err == nil {
		t.Error("a pool that is one connection is used")
	}
}
