package workloads

import (
	"context"
	"strconv"
	"time"

	"github.com/seed-dad15c92/txcache/bench/caches"
	"github.com/seed-dad15c92/txcache/bench/measure"
)

// remoteFills are transactions on Redis that set twenty values, beside the best
// that others can do with twenty values.
func remoteFills(e Env) []measure.Pair {
	if e.Redis == "" {
		return nil
	}
	var pairs []measure.Pair
	for _, peer := range []caches.RemoteKind[record]{
		caches.GoRedis[record](), caches.GoRedisBegun[record](), caches.Rueidis[record](false), caches.GoRedisCache[record](false),
	} {
		p := measure.Pair{
			Section: sectionFill, Name: "begin, 20 fills, commit, on Redis",
			Subject: fillingRemote(e, caches.TxCacheOn[record](true, time.Hour)), Peer: fillingRemote(e, peer),
		}
		if peer.Name == caches.GoRedisBegun[record]().Name { // which has as many round trips
			p.Bars = []measure.Bar{{Of: measure.Ratio, Limit: 1.25}, {Of: measure.Allocs, Limit: 2 * 255}}
		}
		pairs = append(pairs, p)
	}
	return pairs
}

func fillingRemote(e Env, kind caches.RemoteKind[record]) measure.Side {
	return side(kind.Name, func(ctx context.Context) (*measure.Work, error) {
		c, err := kind.Open(e.Redis, room)
		if err != nil {
			return nil, err
		}
		batches := make([]map[string]record, cached/filled)
		for i := range batches {
			batches[i] = make(map[string]record, filled)
			for j := range filled {
				batches[i]["fill."+strconv.Itoa(i)+"."+strconv.Itoa(j)] = recordOf(i*filled + j)
			}
			if err := caches.FillRemote(ctx, c, batches[i]); err != nil {
				c.Close()
				return nil, err
			}
		}
		at := 0
		return &measure.Work{
			Run: func(_, n int) (uint64, error) {
				for range n {
					if err := c.SetMany(ctx, batches[at%len(batches)]); err != nil {
						return 0, err
					}
					at++
				}
				return uint64(at), nil
			},
			Close: c.Close,
		}, nil
	})
}
