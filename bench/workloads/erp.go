package workloads

import (
	"context"
	"strconv"

	"github.com/redis/go-redis/v9"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/bench/caches"
	"github.com/seed-dad15c92/txcache/bench/measure"
	"github.com/seed-dad15c92/txcache/config"
	"github.com/seed-dad15c92/txcache/memorybackend"
)

// requests are requests of an ERP server: 40 reads of 12 caches, for a user
// with a language and a company. All of them hit, or two miss, and one of these
// fills. The peer does the same with twelve otters and no transaction; where
// values depend on the user context, its keys hold that too.
//
// The pairs with a database add to both sides what the request asks of that:
// BEGIN, a query for each miss and COMMIT, for which stand round trips to Redis.
func requests(e Env) []measure.Pair {
	var pairs []measure.Pair
	for _, goroutines := range []int{1, 8} {
		for _, misses := range []int{0, 2} {
			name := "40 hits"
			if misses > 0 {
				name = "38 hits, 2 misses, a fill"
			}
			add := func(name, database, subject string, open openERP, bars ...measure.Bar) {
				o := erpOptions{database: database, goroutines: goroutines, misses: misses}
				pairs = append(pairs, measure.Pair{
					Section: sectionERP, Name: name, Goroutines: goroutines, Bars: bars,
					Subject: requesting(subject, open, o), Peer: requesting("otter", openOtterERP, o),
				})
			}
			add(name+", in the process", "", "txcache, memory", func(ctx context.Context) (*erp, error) {
				store, err := txcache.New(memorybackend.New(), nil)
				if err != nil {
					return nil, err
				}
				return openTxERP(ctx, store)
			})
			if e.Redis == "" {
				continue
			}
			for _, mode := range []config.Sync{config.SyncChannel, config.SyncLease, config.SyncBegin} {
				subject := "txcache, Redis, sync = " + strconv.Quote(string(mode))
				open := func(ctx context.Context) (*erp, error) {
					store, err := caches.OpenStore(ctx, e.Redis, mode, true)
					if err != nil {
						return nil, err
					}
					return openTxERP(ctx, store)
				}
				bar := measure.Bar{Of: measure.Ratio, Limit: 1.1}
				add(name+", near Redis", "", subject, open, bar)
				add(name+", near Redis, with a database", e.Redis, subject, open, bar)
			}
		}
	}
	return pairs
}

// An openERP makes the caches of a server and fills them for all users.
type openERP func(ctx context.Context) (*erp, error)

// erpOptions say what the requests of a side are.
type erpOptions struct {
	database   string // the address of what stands for one; "": none
	goroutines int
	misses     int // of a request: 0 or 2
}

func requesting(name string, open openERP, o erpOptions) measure.Side {
	return side(name, func(ctx context.Context) (*measure.Work, error) {
		server, err := open(ctx)
		if err != nil {
			return nil, err
		}
		var db *redis.Client
		if o.database != "" {
			db = caches.NewClient(o.database)
		}
		next := make([]cursor, o.goroutines)
		return &measure.Work{
			Run: func(worker, n int) (sum uint64, err error) {
				for range n {
					i := next[worker].at
					next[worker].at++
					s, err := server.serve(ctx, db, worker+i*o.goroutines, o.misses)
					if err != nil {
						return sum, err
					}
					sum += s
				}
				return sum, nil
			},
			Close: func() {
				server.close()
				if db != nil {
					_ = db.Close()
				}
			},
		}, nil
	})
}

// serve serves request number n, with so many misses, and returns something of
// all that it read. db may be nil.
func (s *erp) serve(ctx context.Context, db *redis.Client, n, misses int) (sum uint64, err error) {
	ask := func() error {
		if db == nil {
			return nil
		}
		return db.Ping(ctx).Err()
	}
	r, err := s.begin(ctx, users[n%len(users)])
	if err != nil {
		return 0, err
	}
	if err := ask(); err != nil { // BEGIN
		return 0, err
	}
	sum, missed := s.read(r, n)
	if misses == 0 {
		sum, missed = s.readPartners(r, n, sum, missed)
	}
	if missed > 0 {
		return sum, errMiss
	}
	for i := range misses {
		partner := newPartner + int64(misses*n+i)
		if _, ok := s.partners.get(r, partner); ok {
			return sum, errStill
		}
		if err := ask(); err != nil { // SELECT
			return sum, err
		}
		if i == 0 {
			s.partners.set(r, partner, "a partner")
		}
	}
	if err := ask(); err != nil { // COMMIT
		return sum, err
	}
	return sum, s.end(r)
}
