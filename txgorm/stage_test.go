package txgorm_test

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/glebarez/sqlite"
	"gorm.io/driver/postgres"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/internal/postgrestest"
	"github.com/seed-dad15c92/txcache/sqlbackend"
	"github.com/seed-dad15c92/txcache/txcachetest"
	"github.com/seed-dad15c92/txcache/txgorm"
)

// All tests share one server, and each has a database of its own.
var server postgrestest.Shared

func TestMain(m *testing.M) { os.Exit(server.Run(m)) }

type Product struct {
	ID         int64
	SKU        string `gorm:"uniqueIndex"`
	Price      int
	CategoryID *int64
	Category   *Category
	Tags       []Tag `gorm:"many2many:product_tags"`
}

type Category struct {
	ID   int64
	Name string
}

type Tag struct {
	ID      int64
	Name    string
	Deleted gorm.DeletedAt
}

// A stage is a shop with a cache.
type stage struct {
	db    *gorm.DB
	store *txcache.Store

	prices *txcache.Cache[int64, int]    // of products, by key
	bySKU  *txcache.Cache[string, int]   // of products
	names  *txcache.Cache[int64, string] // of categories, by key
	tags   *txcache.Cache[int64, string] // of tags, by key
	tagged *txcache.Cache[int64, int64]  // how many tags a product has
}

// A kind is what is on a stage.
type kind struct {
	name     string
	dialect  func(t testing.TB) gorm.Dialector
	config   gorm.Config
	newStore func(t testing.TB, db *gorm.DB) *txcache.Store
}

func overPostgres(t testing.TB) gorm.Dialector { return postgres.Open(server.NewDatabase(t)) }

func overSQLite(t testing.TB) gorm.Dialector {
	return sqlite.Open(filepath.Join(t.TempDir(), "shop.db") + "?_pragma=journal_mode(wal)&_pragma=busy_timeout(5000)&_txlock=immediate")
}

func inMemory(t testing.TB, _ *gorm.DB) *txcache.Store { return txcachetest.Memory(t) }
func inRedis(t testing.TB, _ *gorm.DB) *txcache.Store  { return txcachetest.Redis(t) }

func inPostgres(t testing.TB, db *gorm.DB) *txcache.Store {
	b, err := sqlbackend.New(func(string) (*sql.DB, error) { return db.DB() }, sqlbackend.Postgres, nil)
	if err != nil {
		t.Fatal(err)
	}
	store, err := txcache.New(b, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

var kinds = []kind{
	{name: "memory", dialect: overPostgres, newStore: inMemory},
	{name: "redis", dialect: overPostgres, newStore: inRedis},
	{name: "sql", dialect: overPostgres, newStore: inPostgres},
	{name: "prepared", dialect: overPostgres, newStore: inMemory, config: gorm.Config{PrepareStmt: true}},
	{name: "no default transaction", dialect: overPostgres, newStore: inMemory, config: gorm.Config{SkipDefaultTransaction: true}},
	{name: "SQLite", dialect: overSQLite, newStore: inMemory},
}

// each runs a test on a stage of each kind.
func each(t *testing.T, test func(t *testing.T, s *stage)) {
	for _, k := range kinds {
		t.Run(k.name, func(t *testing.T) { test(t, newStage(t, k)) })
	}
}

func newStage(t testing.TB, k kind) *stage {
	t.Helper()
	config := k.config
	config.Logger = logger.Discard
	db, err := gorm.Open(k.dialect(t), &config)
	if err != nil {
		t.Fatal(err)
	}
	sqldb, err := db.DB()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for patience := 500; sqldb.Stats().InUse != 0; patience-- { // after the end of a context they come back a moment later
			if patience == 0 {
				t.Errorf("%d connections were not given back", sqldb.Stats().InUse)
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		if err := sqldb.Close(); err != nil {
			t.Error(err)
		}
	})
	s := &stage{db: db, store: k.newStore(t, db)}
	if err := db.Use(txgorm.New(s.store, "shop")); err != nil {
		t.Fatal(err)
	}
	if err := db.AutoMigrate(&Category{}, &Tag{}, &Product{}); err != nil {
		t.Fatal(err)
	}
	s.prices = txcache.Must(txcache.NewCache[int64, int](s.store, "prices", &txcache.CacheOptions{RowsOf: []string{"products"}}))
	s.bySKU = txcache.Must(txcache.NewCache[string, int](s.store, "prices by SKU", &txcache.CacheOptions{Tables: []string{"products"}}))
	s.names = txcache.Must(txcache.NewCache[int64, string](s.store, "names", &txcache.CacheOptions{RowsOf: []string{"categories"}}))
	s.tags = txcache.Must(txcache.NewCache[int64, string](s.store, "tags", &txcache.CacheOptions{RowsOf: []string{"tags"}}))
	s.tagged = txcache.Must(txcache.NewCache[int64, int64](s.store, "tagged", &txcache.CacheOptions{Tables: []string{"product_tags", "tags"}}))
	rows := []Product{{ID: 1, SKU: "pen", Price: 10}, {ID: 2, SKU: "ink", Price: 20}, {ID: 3, SKU: "pad", Price: 30}}
	if err := db.Create(rows).Error; err != nil {
		t.Fatal(err)
	}
	if db.Name() == "postgres" {
		if err := db.Exec("SELECT setval('products_id_seq', 100), setval('categories_id_seq', 100), setval('tags_id_seq', 100)").Error; err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// price returns the price of a product as a transaction has it, from the cache or loaded.
func (s *stage) price(t testing.TB, tx *gorm.DB, id int64) int {
	t.Helper()
	price, err := s.prices.Load(t.Context(), txgorm.Cache(tx), id, func(ctx context.Context) (int, error) {
		var p Product
		err := tx.Session(&gorm.Session{NewDB: true, Context: ctx}).Limit(1).Find(&p, id).Error // of a hook, too
		return p.Price, err
	})
	if err != nil {
		t.Error(err)
	}
	return price
}

// read returns the price of a product as others have it.
func (s *stage) read(t testing.TB, id int64) (price int) {
	t.Helper()
	err := txgorm.View(s.db, func(tx *gorm.DB) error {
		price = s.price(t, tx, id)
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	return price
}

// fill caches the prices.
func (s *stage) fill(t testing.TB) {
	t.Helper()
	for id := range int64(3) {
		s.read(t, id+1)
	}
	if _, ok := s.cached(t, 1); !ok {
		t.Fatal("nothing is cached")
	}
}

// cached returns what others find in the cache.
func (s *stage) cached(t testing.TB, id int64) (price int, ok bool) {
	t.Helper()
	err := txgorm.View(s.db, func(tx *gorm.DB) error {
		price, ok = s.prices.Get(t.Context(), txgorm.Cache(tx), id)
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	return price, ok
}

// expect fails the test unless others find these prices in the cache: 0 is a miss.
func (s *stage) expect(t testing.TB, when string, want ...int) {
	t.Helper()
	for i, want := range want {
		if got, _ := s.cached(t, int64(i+1)); got != want {
			t.Errorf("%s others find %d under %d, want %d", when, got, i+1, want)
		}
	}
}
