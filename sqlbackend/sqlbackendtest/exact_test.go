package sqlbackendtest_test

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/sqlbackend"
)

// P12: snapshots in which a cache has the same token, and a key the same sum, show the same
// value of it, whatever is committed, rolled back, folded and forgotten meanwhile.
func testEqualSumsAreEqualData(t *testing.T, e *engine) {
	length := 3 * time.Second
	if testing.Short() {
		length = time.Second
	}
	const caches, keys = 3, 4
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	p := e.place(t)
	product := "product_" + p.table
	p.exec("CREATE TABLE " + product + " (id int PRIMARY KEY, v bigint NOT NULL)")
	for id := range caches * keys {
		p.exec(fmt.Sprintf("INSERT INTO %s VALUES (%d, 0)", product, id))
	}
	backends := []*sqlbackend.Backend{p.backend(), p.backend()}
	for _, b := range backends {
		must(b.Sync(t.Context(), "shop"))(t)
	}
	ctx, cancel := context.WithTimeout(t.Context(), length)
	defer cancel()
	var all sync.WaitGroup
	var commits, checked, equal, refused atomic.Int64
	var values sync.Map
	type known struct {
		id    int
		token backend.Token
		sum   uint64
	}

	write := func(random *rand.Rand, b *sqlbackend.Backend) error {
		q, err := p.begin(t.Context(), &sql.TxOptions{Isolation: sql.LevelRepeatableRead})
		if err != nil {
			return err
		}
		defer q.Rollback()
		from, err := b.State(t.Context(), q, "shop")
		if err != nil {
			return err
		}
		id := random.IntN(caches * keys)
		cache := fmt.Sprint("cache", id/keys)
		f := backend.Fence{ID: backend.NewToken()}
		switch random.IntN(4) {
		case 0:
			f.Caches = []backend.Generation{{Cache: cache, Token: from.Token(cache)}}
		case 1:
			f.Keys = []backend.Keys{{Cache: "", Hashes: []uint64{uint64(id)}}} // a tag
		default:
			f.Keys = []backend.Keys{{Cache: cache, Hashes: []uint64{uint64(id)}}}
		}
		record := func() error {
			_, err := b.Record(t.Context(), q, "shop", from, f)
			return err
		}
		first := random.IntN(2) == 0
		if first {
			if err := record(); err != nil {
				return err
			}
		}
		if _, err := q.ExecContext(t.Context(), fmt.Sprintf("UPDATE %s SET v = %d WHERE id = %d", product, random.Int64(), id)); err != nil {
			return err
		}
		if !first {
			if err := record(); err != nil {
				return err
			}
		}
		if random.IntN(5) == 0 {
			return nil
		}
		if err := q.Commit(); err != nil {
			return err
		}
		commits.Add(1)
		return nil
	}
	read := func(random *rand.Rand, b *sqlbackend.Backend) error {
		q, err := p.begin(t.Context(), &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
		if err != nil {
			return err
		}
		defer q.Rollback()
		s, err := b.State(t.Context(), q, "shop")
		if err != nil {
			return err
		}
		if s.AllFenced {
			return fmt.Errorf("the state is private")
		}
		if random.IntN(3) == 0 {
			time.Sleep(time.Duration(random.IntN(3000)) * time.Microsecond)
		}
		rows, err := q.QueryContext(t.Context(), "SELECT id, v FROM "+product)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var id int
			var v int64
			if err := rows.Scan(&id, &v); err != nil {
				return err
			}
			cache := fmt.Sprint("cache", id/keys)
			at := known{id, s.Token(cache), s.Sums.Of(cache).Key(uint64(id))*31 + s.Sums.Of("").Key(uint64(id))}
			if old, loaded := values.LoadOrStore(at, v); loaded {
				equal.Add(1)
				if old != v {
					t.Errorf("row %d is %d and %d under one token and sum", id, old, v)
				}
			}
			checked.Add(1)
		}
		return rows.Err()
	}
	for i := range 6 {
		random := rand.New(rand.NewPCG(seed, uint64(i)))
		all.Go(func() {
			for ctx.Err() == nil {
				var err error
				switch {
				case i < 3:
					err = read(random, backends[i%2])
					if err != nil {
						t.Error(err)
						return
					}
				case i < 5:
					if err = write(random, backends[i%2]); err != nil { // conflicts are right at this level
						refused.Add(1)
					}
				default:
					if err = backends[0].Fold(t.Context(), "shop"); err != nil {
						refused.Add(1)
					}
				}
			}
		})
	}
	all.Wait()
	t.Logf("%d commits, %d refused; %d values, %d of them seen before", commits.Load(), refused.Load(), checked.Load(), equal.Load())
	if equal.Load() == 0 || commits.Load() == 0 {
		t.Error("nothing was compared")
	}
}
