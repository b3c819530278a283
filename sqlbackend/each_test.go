package sqlbackend_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/config"
	"github.com/seed-dad15c92/txcache/sqlbackend"
)

func openEach(t testing.TB, dialect, dsn string) (*sqlbackend.Backend, error) {
	t.Helper()
	cfg := config.Default()
	cfg.Class = config.ClassSQL
	cfg.SQL.Dialect, cfg.SQL.DSN, cfg.SQL.Driver = dialect, dsn, "farm"
	return sqlbackend.Open(t.Context(), cfg)
}

func mustOpenEach(t testing.TB, dialect, dsn string) *sqlbackend.Backend {
	t.Helper()
	b, err := openEach(t, dialect, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

const secret = "sw0rdfish"

// P7: what stands for the tenant's name is within the name of the database, and nowhere else.
func TestPlaceOfTheTenantsName(t *testing.T) {
	for _, c := range []struct{ dialect, dsn, want string }{ // of tenant "acme"; "" if it is refused
		{"postgres", "postgres://app:sw0rdfish@db/{database}", "postgres://app:sw0rdfish@db/acme"},
		{"postgres", "postgresql://app:sw0rdfish@a,b:5433/erp_{database}?sslmode=disable", "postgresql://app:sw0rdfish@a,b:5433/erp_acme?sslmode=disable"},
		{"postgres", "postgres:///{database}?host=/run/postgresql", "postgres:///acme?host=/run/postgresql"},
		{"postgres", "host=db dbname={database} password=sw0rdfish", "host=db dbname=acme password=sw0rdfish"},
		{"postgres", "password=sw0rdfish database='erp {database}'", ""},
		{"postgres", "password=sw0rdfish dbname='erp_{database}'", "password=sw0rdfish dbname='erp_acme'"},
		{"postgres", "postgres://app:sw0rdfish@{database}/shop", ""},
		{"postgres", "postgres://{database}:sw0rdfish@db/{database}", ""},
		{"postgres", "postgres://app:sw0rdfish@db?dbname={database}", ""},
		{"postgres", "postgres://app:sw0rdfish@db/{database}?search_path={database}", ""},
		{"postgres", "host={database} dbname=shop password=sw0rdfish", ""},
		{"postgres", "dbname=shop options=-csearch_path={database} password=sw0rdfish", ""},
		{"postgres", "dbname = {database} password=sw0rdfish", ""},
		{"postgres", "postgres://app:sw0rdfish@db/{database}?sslmode=disable&dbname=shop", ""}, // drivers take the last name
		{"postgres", "postgres://app:sw0rdfish@db/{database}?database=shop", ""},
		{"postgres", "dbname={database} password=sw0rdfish\tdbname = shop", ""},
		{"postgres", "database={database} application_name=mydatabase=x password=sw0rdfish", "database=acme application_name=mydatabase=x password=sw0rdfish"},
		{"mysql", "app:sw0rdfish@tcp(db:3306)/{database}?parseTime=true", "app:sw0rdfish@tcp(db:3306)/acme?parseTime=true"},
		{"mysql", "app:sw0rdfish@unix(/run/mysqld.sock)/erp-{database}", "app:sw0rdfish@unix(/run/mysqld.sock)/erp-acme"},
		{"mysql", "app:{database}@tcp(db)/shop", ""},
		{"mysql", "app:sw0rdfish@tcp({database})/{database}", ""},
		{"mysql", "app:sw0rdfish@tcp(db)/shop?collation={database}", ""},
		{"sqlite", "file:{database}?mode=memory", "file:acme?mode=memory"},
		{"sqlite", "file:/data/{database}/{database}.db?vfs=memdb&_pragma=busy_timeout(10000)", "file:/data/acme/acme.db?vfs=memdb&_pragma=busy_timeout(10000)"},
		{"sqlite", "file:shop.db?_pragma=key('{database}')", ""},
		{"sqlite", "file:data/{database}-wal?mode=memory", ""},
	} {
		f := newFarm()
		b, err := openEach(t, c.dialect, c.dsn)
		if err == nil {
			_, err = b.Sync(t.Context(), "acme")
			if got := f.connected(); err == nil && (len(got) != 1 || got[0] != c.want) {
				t.Errorf("%s: connections to %q, want %q", c.dsn, got, c.want)
			}
			b.Close()
		}
		if (err == nil) != (c.want != "") || err != nil && (strings.Contains(err.Error(), secret) || !strings.HasPrefix(err.Error(), "txcache: ")) {
			t.Errorf("%s: %v", c.dsn, err)
		}
	}
}

var names = []string{
	"acme", "A-1_b.c", "..", ".", "...", "a..b", "../../etc/passwd", "/", "/acme", "a/b", `a\b`, "acme?sslmode=disable", "acme?host=evil", "acme#x", "a@evil", "u:p@evil/acme",
	"acme host=evil", "acme' host='evil", "a=b", "a&b=c", "a%2Fb", "%", "%zz", "100%", "a b", "a\tb", "a\x00b", "a\nb", "Ü", "发票", "a;b", "a,b", "a)b", "tcp(evil)", "{database}", "a+b", "~", "'", `"`, "`",
	strings.Repeat("a", 63), strings.Repeat("a", 64), strings.Repeat("ü", 32), strings.Repeat("a", 5000), "-", "_", "a.", ".a", "shop-wal", "shop-shm", "shop-journal",
}

// P7: no name of a tenant changes another part of the DSN, or leads to the database of another
// tenant. It is put in as it is, or refused.
func TestNoNameChangesAnotherPart(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	alphabet := []rune("aZ9_-./\\?#@:&=%+' \"{}()$;,\x00\x7fÜ票")
	all := slices.Clone(names)
	for range 2000 {
		name := make([]rune, 1+random.IntN(6))
		for i := range name {
			name[i] = alphabet[random.IntN(len(alphabet))]
		}
		all = append(all, string(name))
	}
	for _, c := range []struct {
		dialect, dsn string
		any          bool // most names can be put in
		database     func(dsn string) (name, rest string)
	}{
		{"postgres", "postgres://app:sw0rdfish@db:5433/{database}?sslmode=disable#f", true, func(dsn string) (string, string) {
			u, err := url.Parse(dsn)
			if err != nil {
				t.Fatalf("%q: %v", dsn, err)
			}
			name := strings.TrimLeft(u.Path, "/") // as pgx does
			u.Path, u.RawPath = "/{database}", ""
			rest, err := url.PathUnescape(u.String())
			if err != nil {
				t.Fatal(err)
			}
			return name, rest
		}},
		{"postgres", "host=db dbname={database} password=sw0rdfish", false, between("host=db dbname=", " password=sw0rdfish")},
		{"mysql", "app:sw0rdfish@tcp(db)/{database}?parseTime=true", false, between("app:sw0rdfish@tcp(db)/", "?parseTime=true")},
		{"sqlite", "file:data/{database}.db?vfs=memdb", false, between("file:data/", ".db?vfs=memdb")},
		{"sqlite", "file:data/{database}?vfs=memdb", false, between("file:data/", "?vfs=memdb")},
	} {
		f := newFarm()
		b := mustOpenEach(t, c.dialect, c.dsn)
		taken := 0
		for _, tenant := range all {
			f.mu.Lock()
			clear(f.opened)
			f.mu.Unlock()
			_, err := b.Sync(t.Context(), tenant)
			f.mu.Lock()
			seen := slices.Collect(maps.Keys(f.opened))
			f.mu.Unlock()
			if err != nil {
				if len(seen) > 0 || strings.Contains(err.Error(), secret) {
					t.Errorf("%s: %q: %v, connected to %q", c.dsn, tenant, err, seen)
				}
				continue
			}
			taken++
			if len(seen) == 0 { // it came twice
				continue
			}
			if name, rest := c.database(seen[0]); name != tenant || rest != c.dsn {
				t.Errorf("%s: %q leads to %q: database %q, the rest %q", c.dsn, tenant, seen[0], name, rest)
			}
			plain := strings.Trim(tenant, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") == "" && !strings.Contains(tenant, "..")
			if !c.any && !plain || c.dialect == "postgres" && len(tenant) > 63 || c.dialect == "sqlite" && (strings.Contains(tenant, "..") || strings.HasSuffix(seen[0], "-wal?vfs=memdb")) {
				t.Errorf("%s: %q leads to %q", c.dsn, tenant, seen[0])
			}
		}
		if refused := len(all) - taken; taken < 20 || refused < 20 {
			t.Errorf("%s: %d names were taken and %d refused", c.dsn, taken, refused)
		}
	}
}

func between(before, after string) func(string) (string, string) {
	return func(dsn string) (string, string) {
		name := strings.TrimSuffix(strings.TrimPrefix(dsn, before), after)
		if before+name+after != dsn {
			return name, dsn
		}
		return name, before + "{database}" + after
	}
}

// So many databases are open at most, but for those in use, which stay open.
func TestOpenDatabasesAreBounded(t *testing.T) {
	const bound = 64
	f := newFarm()
	b := mustOpenEach(t, "postgres", "postgres://db/{database}")
	tenant := func(i int) string { return fmt.Sprintf("t%03d", i) }
	dsn := func(i int) string { return "postgres://db/" + tenant(i) }
	use := func(i int) {
		t.Helper()
		if _, err := b.Sync(t.Context(), tenant(i)); err != nil {
			t.Fatal(err)
		}
	}
	// The first is in use all the time.
	use(0)
	entered, leave, left := make(chan struct{}), make(chan struct{}), make(chan error)
	f.mu.Lock()
	f.query = func(of string) error {
		if of == dsn(0) {
			entered <- struct{}{}
			<-leave
		}
		return nil
	}
	f.mu.Unlock()
	go func() {
		_, err := b.Sync(t.Context(), tenant(0))
		left <- err
	}()
	<-entered
	for i := 1; i <= 3*bound; i++ {
		use(i)
		use(1) // is used again and again
		if n := len(f.connected()); n > bound {
			t.Fatalf("%d databases are open, want %d at most", n, bound)
		}
	}
	for i, want := range map[int]bool{0: true, 1: true, 2: false, 3 * bound: true, 2 * bound: false} {
		if got := f.has(dsn(i)); got != want {
			t.Errorf("database %d is open: %v", i, got)
		}
	}
	f.mu.Lock()
	if n := f.opened[dsn(1)]; n != 1 {
		t.Errorf("the database that is used all the time was opened %d times", n)
	}
	f.query = func(string) error { return nil }
	f.mu.Unlock()
	close(leave)
	if err := <-left; err != nil {
		t.Errorf("the database that was in use: %v", err)
	}
	use(2) // anew
}

// More than may be open are in use at once; they are closed when they are not any more.
func TestManyDatabasesInUseAtOnce(t *testing.T) {
	f := newFarm()
	b := mustOpenEach(t, "sqlite", "file:{database}?mode=memory")
	const many = 100
	var inside sync.WaitGroup
	inside.Add(many)
	var once sync.Map
	f.query = func(dsn string) error { // a barrier that all must reach
		if _, again := once.LoadOrStore(dsn, true); !again {
			inside.Done()
			inside.Wait()
		}
		return nil
	}
	var all sync.WaitGroup
	for i := range many {
		all.Go(func() {
			if _, err := b.Sync(t.Context(), fmt.Sprint("t", i)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if n := len(f.connected()); n > 64 {
		t.Errorf("%d databases are open", n)
	}
}

// A connection that nobody uses is closed, so that the database can be dropped.
func TestIdleConnectionsAreClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFarm()
		b := mustOpenEach(t, "mysql", "tcp(db)/{database}")
		if _, err := b.Sync(t.Context(), "shop"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(30 * time.Second)
		if len(f.connected()) == 0 {
			t.Error("the connection was closed at once")
		}
		time.Sleep(2 * time.Minute)
		if got := f.connected(); len(got) > 0 {
			t.Errorf("there are connections to %q", got)
		}
		if _, err := b.Sync(t.Context(), "shop"); err != nil {
			t.Error(err)
		}
		b.Close()
	})
}

// P7, P8: one that fails is not remembered, and others do not notice.
func TestDatabaseThatIsNotThere(t *testing.T) {
	f := newFarm()
	b := mustOpenEach(t, "postgres", "postgres://app:"+secret+"@db/{database}")
	missing := errors.New("database does not exist")
	f.query = func(dsn string) error {
		if strings.HasSuffix(dsn, "/new") {
			return missing
		}
		return nil
	}
	for range 3 {
		if _, err := b.Sync(t.Context(), "new"); !errors.Is(err, missing) || !strings.Contains(err.Error(), `"new"`) {
			t.Errorf("Sync returned %v", err)
		}
		if err := b.Prepare(t.Context(), "new"); !errors.Is(err, missing) {
			t.Errorf("Prepare returned %v", err)
		}
		if _, err := b.Sync(t.Context(), "shop"); err != nil {
			t.Error(err)
		}
	}
	f.query = func(string) error { return nil }
	if _, err := b.Sync(t.Context(), "new"); err != nil {
		t.Errorf("it is there now: %v", err)
	}
}

// The driver of SQLite would create a file for a tenant whose name is misspelt.
func TestNoFileIsCreatedForATenant(t *testing.T) {
	folder := t.TempDir()
	for _, dsn := range []string{"file:%s/{database}.db?mode=rwc", "file://%s/{database}.db", "file://localhost%s/%%7Bdatabase%%7D{database}.db", "%s/{database}.db"} {
		f := newFarm()
		b := mustOpenEach(t, "sqlite", fmt.Sprintf(dsn, folder))
		for range 2 {
			if _, err := b.Sync(t.Context(), "shop"); err == nil || !strings.Contains(err.Error(), `"shop"`) || !strings.Contains(err.Error(), "no file") || len(f.opened) > 0 {
				t.Errorf("%s: Sync returned %v, connections %v", dsn, err, f.opened)
			}
		}
		for _, name := range []string{"shop.db", "{database}shop.db"} {
			if err := os.WriteFile(filepath.Join(folder, name), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := b.Sync(t.Context(), "shop"); err != nil {
			t.Errorf("%s: it is there now: %v", dsn, err)
		}
		for _, name := range []string{"shop.db", "{database}shop.db"} {
			if err := os.Remove(filepath.Join(folder, name)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// Close closes all, and what comes later is refused.
func TestCloseClosesEachDatabase(t *testing.T) {
	f := newFarm()
	b := mustOpenEach(t, "postgres", "postgres://db/{database}")
	for i := range 5 {
		if _, err := b.Sync(t.Context(), fmt.Sprint("t", i)); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(f.connected()); n != 5 {
		t.Fatalf("%d databases are open, want 5", n)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
	if got := f.connected(); len(got) > 0 {
		t.Errorf("there are connections to %q", got)
	}
	if _, err := b.Sync(t.Context(), "t1"); !errors.Is(err, backend.ErrClosed) {
		t.Errorf("Sync returned %v", err)
	}
}
