package sqlbackendtest_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/config"
	"github.com/seed-dad15c92/txcache/internal/postgrestest"
	"github.com/seed-dad15c92/txcache/internal/redistest"
	"github.com/seed-dad15c92/txcache/sqltx"
)

// A shop is a table of prices.
type shop struct {
	dialect, driver, dsn string
	db                   *sql.DB
}

// onShops runs f over SQLite, whose transactions of the database are exact, and over PostgreSQL.
func onShops(t *testing.T, f func(t *testing.T, s *shop)) {
	t.Run("sqlite", func(t *testing.T) {
		s := overSQLite(t, filepath.Join(t.TempDir(), "shop.db"))
		s.create(t)
		f(t, s)
	})
	t.Run("postgres", func(t *testing.T) {
		s := &shop{dialect: "postgres", driver: "pgx", dsn: postgrestest.Start(t).URI("postgres")}
		s.open(t)
		s.create(t)
		f(t, s)
	})
}

func overSQLite(t *testing.T, file string) *shop {
	t.Helper()
	s := &shop{dialect: "sqlite", driver: "sqlite", dsn: "file:" + file + "?_pragma=busy_timeout(20000)&_pragma=journal_mode(WAL)&_txlock=immediate"}
	s.open(t)
	return s
}

func (s *shop) open(t *testing.T) {
	t.Helper()
	db, err := sql.Open(s.driver, s.dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	s.db = db
}

func (s *shop) create(t *testing.T) {
	t.Helper()
	for _, statement := range []string{"CREATE TABLE price (id int PRIMARY KEY, v bigint NOT NULL)", "INSERT INTO price VALUES (1, 100)"} {
		if _, err := s.db.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
}

// A process is a store of a process, with a cache of prices.
type process struct {
	*shop
	t      *testing.T
	store  *txcache.Store
	prices *txcache.Cache[int, int64]
}

// The limits of calls: none that counts, and one that is over soon.
const (
	patient = "timeout = \"20s\"\nfence = \"2m\""
	hasty   = "dial_timeout = \"100ms\"\ntimeout = \"200ms\""
	remote  = "near = false"
)

// process opens a store as a file configures it, with values in the Redis at uri.
func (s *shop) process(t *testing.T, uri string, more ...string) *process {
	t.Helper()
	text := fmt.Sprintf("[cache]\nclass = \"sql\"\n[cache.sql]\ndialect = %q\ndsn = %q\ndriver = %q\nvalues = \"redis\"\n"+
		"[cache.redis]\nuri = %q\n%s\n", s.dialect, s.dsn, s.driver, uri, strings.Join(more, "\n"))
	cfg, err := config.Parse(strings.NewReader(text), "cache.toml")
	if err != nil {
		t.Fatal(err)
	}
	store, err := txcache.OpenConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return &process{s, t, store, txcache.Must(txcache.NewCache[int, int64](store, "price", nil))}
}

// exact returns the options of transactions that have one snapshot.
func (s *shop) exact() *sql.TxOptions {
	if s.dialect == "sqlite" {
		return &sql.TxOptions{ReadOnly: true}
	}
	return &sql.TxOptions{ReadOnly: true, Isolation: sql.LevelRepeatableRead}
}

// query returns what loads a price by q.
func query(q sqltx.DBTX, id int, loaded *bool) func(context.Context) (int64, error) {
	return func(ctx context.Context) (v int64, err error) {
		*loaded = true
		err = q.QueryRowContext(ctx, fmt.Sprintf("SELECT v FROM price WHERE id = %d", id)).Scan(&v)
		return v, err
	}
}

// price returns what a transaction with one snapshot finds, and whether it has loaded it.
func (p *process) price() (v int64, loaded bool, err error) {
	err = sqltx.View(p.t.Context(), p.store, "shop", p.db, p.exact(), func(tx *sqltx.Tx) (err error) {
		v, err = p.prices.Load(p.t.Context(), tx.Cache, 1, query(tx, 1, &loaded))
		return err
	})
	return v, loaded, err
}

// newerPrice is price for a transaction that has none.
func (p *process) newerPrice() (v int64, loaded bool, err error) {
	err = p.store.View(p.t.Context(), "shop", func(tx *txcache.Tx) (err error) {
		v, err = p.prices.Load(p.t.Context(), tx, 1, query(p.db, 1, &loaded))
		return err
	})
	return v, loaded, err
}

// want checks what price returns.
func (p *process) want(what string, want int64, loads bool) {
	p.t.Helper()
	if v, loaded, err := p.price(); v != want || loaded != loads || err != nil {
		p.t.Errorf("%s: the price is %d (loaded: %t), %v, want %d (loaded: %t)", what, v, loaded, err, want, loads)
	}
}

// wantNewer checks what newerPrice returns.
func (p *process) wantNewer(what string, want int64, loads bool) {
	p.t.Helper()
	if v, loaded, err := p.newerPrice(); v != want || loaded != loads || err != nil {
		p.t.Errorf("%s, without a snapshot: the price is %d (loaded: %t), %v, want %d (loaded: %t)", what, v, loaded, err, want, loads)
	}
}

// set changes a price, and deletes its key.
func (p *process) set(v int64) {
	p.t.Helper()
	err := sqltx.Update(p.t.Context(), p.store, "shop", p.db, nil, func(tx *sqltx.Tx) error {
		if _, err := tx.ExecContext(p.t.Context(), fmt.Sprintf("UPDATE price SET v = %d WHERE id = 1", v)); err != nil {
			return err
		}
		return p.prices.Delete(tx.Cache, 1)
	})
	if err != nil {
		p.t.Error(err)
	}
}

// settle makes the table of clears, so that no cache is private any more.
func (p *process) settle() {
	p.t.Helper()
	if err := p.store.Sync(p.t.Context(), "shop"); err != nil {
		p.t.Fatal(err)
	}
}

// What one process has loaded is a hit for another, until it is deleted.
func TestValuesAreShared(t *testing.T) {
	onShops(t, func(t *testing.T, s *shop) {
		uri := redistest.Start(t).URI()
		a, b := s.process(t, uri, patient), s.process(t, uri, patient)
		a.settle()
		a.want("the first", 100, true)
		b.want("another process", 100, false)
		b.want("the same again", 100, false)
		if stats := a.prices.Stats(); stats.Misses != 1 || stats.Loads != 1 || stats.RemoteHits != 0 {
			t.Errorf("the first process counts %+v", stats)
		}
		if stats := b.prices.Stats(); stats.Hits != 2 || stats.RemoteHits != 1 || stats.Misses != 0 || stats.Loads != 0 {
			t.Errorf("the other process counts %+v", stats)
		}
		if stats := b.store.Status().Backend; stats.RoundTrips == 0 || stats.Failures != 0 || stats.Open {
			t.Errorf("the backend counts %+v", stats)
		}
		a.set(200)
		b.want("a deleted price", 200, true)
		a.want("a price that another process has loaded", 200, false)
		if err := a.store.Drop(t.Context(), "shop"); err != nil {
			t.Error(err)
		}
		b.want("a price of a database that was dropped", 200, true)
	})
}

// A snapshot that is older than a delete does not find what was loaded after it, in the place
// of what it would find.
func TestAnOlderSnapshotFindsNoNewerValue(t *testing.T) {
	onShops(t, func(t *testing.T, s *shop) {
		if s.dialect == "sqlite" {
			return // the same with fewer servers
		}
		uri := redistest.Start(t).URI()
		a, b := s.process(t, uri, patient), s.process(t, uri, patient)
		a.settle()
		a.want("the first", 100, true)
		tx, err := sqltx.Begin(t.Context(), b.store, "shop", s.db, s.exact())
		if err != nil {
			t.Fatal(err)
		}
		defer tx.Rollback()
		loaded := false
		load := func() (int64, error) { return b.prices.Load(t.Context(), tx.Cache, 1, query(tx, 1, &loaded)) }
		if _, err := tx.ExecContext(t.Context(), "SELECT 1"); err != nil { // it has its snapshot
			t.Fatal(err)
		}
		a.set(200)
		a.want("the new price", 200, true)
		if v, err := load(); v != 100 || !loaded || err != nil {
			t.Errorf("an older snapshot finds %d (loaded: %t), %v, want 100", v, loaded, err)
		}
	})
}

// Redis has what transactions with one snapshot have loaded, for others too. What others have loaded
// may be newer than what their state says, so it is not there.
func TestOnlyExactValuesAreShared(t *testing.T) {
	onShops(t, func(t *testing.T, s *shop) {
		uri := redistest.Start(t).URI()
		a, b, c := s.process(t, uri, patient), s.process(t, uri, patient), s.process(t, uri, patient)
		a.settle()
		a.wantNewer("the first", 100, true)
		b.wantNewer("another process", 100, true)
		b.want("the first", 100, true)
		c.wantNewer("another process", 100, false)
		c.want("another process", 100, false)
		if n := c.prices.Stats().RemoteHits; n != 2 {
			t.Errorf("%d hits came from Redis, want 2: what is exact and what is not is apart in the process", n)
		}
	})
}

// Whatever becomes of Redis, its values can only be missing: begins and commits go on, and what
// is found is right. // P8, P9
func TestRedisCanOnlyMiss(t *testing.T) {
	spoil := func(data string) func(*redistest.Server) {
		return func(server *redistest.Server) {
			for _, key := range server.Client().Keys(t.Context(), "*").Val() {
				server.Do("set", key, data)
			}
		}
	}
	cases := []struct {
		name    string
		happens func(*redistest.Server)
		away    bool
	}{
		{"away when the service starts", nil, true},
		{"killed", (*redistest.Server).Kill, true},
		{"paused", (*redistest.Server).Pause, true},
		{"read-only", func(s *redistest.Server) { s.Do("replicaof", "127.0.0.1", "1") }, false},
		{"full", func(s *redistest.Server) { s.Do("config", "set", "maxmemory", "1") }, false},
		{"flushed", func(s *redistest.Server) { s.Do("flushall") }, false},
		{"restarted", func(s *redistest.Server) { s.Kill(); s.Restart() }, false},
		{"garbage", spoil("garbage"), false},
		{"nothing", spoil(""), false},
		{"garbage of a large value", spoil("\xfftxcache:parts:1" + strings.Repeat("\xff", 40)), false},
		{"lists", func(s *redistest.Server) {
			for _, key := range s.Client().Keys(t.Context(), "*").Val() {
				s.Do("del", key)
				s.Do("rpush", key, "x")
			}
		}, false},
	}
	onShops(t, func(t *testing.T, s *shop) {
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				if _, err := s.db.ExecContext(t.Context(), "UPDATE price SET v = 100"); err != nil {
					t.Fatal(err)
				}
				server := redistest.Start(t)
				if c.happens == nil {
					server.Kill()
				}
				limit := patient
				if c.name == "paused" {
					limit = hasty
				}
				a, b := s.process(t, server.URI(), remote, limit), s.process(t, server.URI(), remote, limit)
				a.settle()
				if c.happens != nil {
					a.want("before it", 100, true)
					b.want("before it", 100, false)
					b.wantNewer("before it", 100, false)
					c.happens(server)
				}
				if c.name != "read-only" && c.name != "full" { // which are right for reads
					b.want("after it", 100, true)
					b.wantNewer("after it", 100, c.away)
				}
				unused := c.away || c.name == "read-only" || c.name == "full"
				for v := int64(200); v < 205; v++ {
					a.set(v)
					a.want("the new price", v, true)
					b.want("the new price", v, unused)
					b.wantNewer("the new price", v, unused)
				}
				if err := a.store.Drop(t.Context(), "shop"); err != nil {
					t.Error(err)
				}
				b.want("a price of a database that was dropped", 204, true)
				if !c.away {
					return
				}
				server.Kill()
				server.Restart()
				server.Await("to be used again", func(context.Context) error {
					if err := a.store.Clear(t.Context(), "shop", "price"); err != nil {
						return err
					}
					before := b.prices.Stats().RemoteHits
					for _, p := range []*process{a, b} {
						if v, _, err := p.price(); v != 204 || err != nil {
							return fmt.Errorf("the price is %d, %w", v, err)
						}
					}
					if b.prices.Stats().RemoteHits == before {
						return errors.New("nothing is a hit")
					}
					return nil
				})
			})
		}
	})
}

// After a restore of the database nobody finds what the commits had written that were lost. (P6) So it is
// after a failover that has lost them, and for a copy of the database that uses the same Redis.
func TestARestoreLeavesNoValuesOfWhatWasLost(t *testing.T) {
	uri, dir := redistest.Start(t).URI(), t.TempDir()
	s := overSQLite(t, filepath.Join(dir, "shop.db"))
	s.create(t)
	a := s.process(t, uri, patient)
	a.settle()
	if _, err := s.db.ExecContext(t.Context(), "VACUUM INTO '"+filepath.Join(dir, "backup.db")+"'"); err != nil {
		t.Fatal(err)
	}
	tx, err := a.store.BeginReadOnly(t.Context(), "shop") // it has the state of the backup
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	a.set(200)
	loaded := false
	if v, err := a.prices.Load(t.Context(), tx, 1, query(s.db, 1, &loaded)); v != 200 || err != nil {
		t.Fatalf("the price is %d, %v, want 200", v, err)
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.want("the new price", 200, true)
	b := overSQLite(t, filepath.Join(dir, "backup.db")).process(t, uri, patient)
	b.wantNewer("after the restore", 100, true)
	b.want("after the restore", 100, true)
}

// A copy of a database shares the values in Redis until one of the two has a clear that the other has not. A key
// that one of them has deleted has one place for both, where each finds only its own.
func TestACopySharesValuesUntilItsFirstClear(t *testing.T) {
	uri, dir := redistest.Start(t).URI(), t.TempDir()
	s := overSQLite(t, filepath.Join(dir, "shop.db"))
	s.create(t)
	a := s.process(t, uri, remote, patient)
	a.settle()
	a.want("the first", 100, true)
	if _, err := s.db.ExecContext(t.Context(), "VACUUM INTO '"+filepath.Join(dir, "copy.db")+"'"); err != nil {
		t.Fatal(err)
	}
	b := overSQLite(t, filepath.Join(dir, "copy.db")).process(t, uri, remote, patient)
	b.want("the copy", 100, false)
	b.set(200)
	b.want("the copy after its clear", 200, true)
	b.want("the same again", 200, false)
	a.want("the original", 100, true)
	b.want("what the original has replaced", 200, true)
	a.want("what the copy has replaced", 100, true)
	if err := b.store.Clear(t.Context(), "shop", "price"); err != nil {
		t.Fatal(err)
	}
	b.want("the copy after a clear of the cache", 200, true)
	b.want("the same again", 200, false)
	a.want("the original", 100, false)
}
