package sqlbackend_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/seed-dad15c92/txcache/backend"
)

// Connections to a file that was removed, or replaced, go on with that. So others take their place; those in
// use are closed after it.
func TestFileThatIsReplaced(t *testing.T) {
	folder := t.TempDir()
	path, dsn := filepath.Join(folder, "shop.db"), "file:"+folder+"/shop.db"
	create := func() {
		t.Helper()
		if err := os.WriteFile(path+".new", nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	f := newFarm()
	b := mustOpenEach(t, "sqlite", "file:"+folder+"/{database}.db")
	create()
	opened := func(want, open int) {
		t.Helper()
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.opened[dsn] != want || f.open[dsn] != open {
			t.Errorf("%d connections were opened and %d are open, want %d and %d", f.opened[dsn], f.open[dsn], want, open)
		}
	}
	sync := func() {
		t.Helper()
		if _, err := b.Sync(t.Context(), "shop"); err != nil {
			t.Error(err)
		}
	}
	sync()
	sync()
	opened(1, 1)
	create()
	sync()
	opened(2, 1)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Sync(t.Context(), "shop"); err == nil || !strings.Contains(err.Error(), "no file") {
		t.Errorf("Sync returned %v", err)
	}
	opened(2, 0)

	create()
	entered, leave, left := make(chan struct{}), make(chan struct{}), make(chan error)
	var once atomic.Bool
	f.mu.Lock()
	f.query = func(string) error {
		if once.CompareAndSwap(false, true) {
			close(entered)
			<-leave
		}
		return nil
	}
	f.mu.Unlock()
	go func() {
		_, err := b.Sync(t.Context(), "shop")
		left <- err
	}()
	<-entered
	create()
	sync()
	opened(4, 2)
	close(leave)
	if err := <-left; err != nil {
		t.Errorf("the connections that were in use: %v", err)
	}
	opened(4, 1)
}

// Many goroutines use many databases, some of which are replaced meanwhile, and the Backend is closed. Nothing
// stays open.
func TestRandomUseOfManyDatabases(t *testing.T) {
	for seed := range uint64(6) {
		f := newFarm()
		folder := t.TempDir()
		b, err := openEach(t, "sqlite", "file:"+folder+"/{database}.db")
		if err != nil {
			t.Fatal(err)
		}
		create := func(tenant string, goroutine uint64) {
			path := filepath.Join(folder, tenant+".db")
			made := fmt.Sprint(path, ".", goroutine)
			if err := errors.Join(os.WriteFile(made, nil, 0o600), os.Rename(made, path)); err != nil {
				t.Error(err)
			}
		}
		const tenants = 100
		for i := range tenants {
			create(fmt.Sprint("t", i), 0)
		}
		var all sync.WaitGroup
		for goroutine := range uint64(8) {
			all.Go(func() {
				random := rand.New(rand.NewPCG(seed, goroutine))
				for range 200 {
					tenant := fmt.Sprint("t", random.IntN(tenants))
					var err error
					switch random.IntN(6) {
					case 0:
						_, err = b.Clear(t.Context(), tenant, backend.Fence{ID: backend.NewToken(), All: true})
					case 1:
						err = b.Drop(t.Context(), tenant)
					case 2:
						err = b.Fold(t.Context(), tenant)
					case 3:
						create(tenant, goroutine)
					default:
						_, err = b.Sync(t.Context(), tenant)
					}
					if err != nil && seed%2 == 0 {
						t.Errorf("seed %d: %v", seed, err)
					}
					if seed%2 == 1 && goroutine == 0 && random.IntN(100) == 0 {
						if err := b.Close(); err != nil {
							t.Errorf("seed %d: Close: %v", seed, err)
						}
					}
				}
			})
		}
		all.Wait()
		if n := len(f.connected()); n > 64 {
			t.Errorf("seed %d: %d databases are open", seed, n)
		}
		if err := b.Close(); err != nil {
			t.Errorf("seed %d: Close: %v", seed, err)
		}
		if got := f.connected(); len(got) > 0 {
			t.Errorf("seed %d: connections to %q after Close", seed, got)
		}
	}
}

// An error of a driver that shows the password is not passed on, wherever an @ or a slash stands beside it.
func TestErrorsOfConnectingShowNoPassword(t *testing.T) {
	for dialect, dsns := range map[string][]string{
		"postgres": {
			"postgres://app:sw0rdfish@db/{database}", "postgres://app:sw0rdfish@db/{database}?application_name=app@host", "postgres://app:sw0rdfish@db/{database}#a@b",
			"host=db dbname={database} password=sw0rdfish", "host=db dbname={database} password='sw0rdfish'",
		},
		"mysql": {"app:sw0rdfish@tcp(db)/{database}", "app:sw0rdfish@tcp(db)/{database}?connectionAttributes=app:a@host"},
	} {
		for _, dsn := range dsns {
			f := newFarm()
			f.refuse = fmt.Errorf("no user app with %s", secret)
			b := mustOpenEach(t, dialect, dsn)
			for _, tenant := range []string{"shop", "a.b"} {
				if _, err := b.Sync(t.Context(), tenant); err == nil || strings.Contains(err.Error(), secret) {
					t.Errorf("%s: %v", dsn, err)
				}
			}
		}
	}
}
