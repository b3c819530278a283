package txcache

import (
	"context"
	"slices"

	"github.com/seed-dad15c92/txcache/backend"
)

// What an outbox sends in one call. A piece ends with the value that reaches
// either limit, so that a transaction of any size encodes little at a time.
const (
	pieceValues = 1024
	pieceBytes  = 1 << 20
)

// An outbox gives the values of one transaction to the backend, piece by piece.
// Once the backend has failed, the rest is not sent: it is loaded again by those
// who need it.
type outbox struct {
	ctx      context.Context
	store    *Store
	database string

	values []backend.Value
	bytes  int
	caches []*core // that values are of
	failed []*core // that have lost a value
	broken bool
}

// newOutbox returns an empty outbox. A caller that leaves does not cut what it
// sends: others can use what the caller has loaded.
func (s *Store) newOutbox(ctx context.Context, database string) *outbox {
	return &outbox{ctx: context.WithoutCancel(ctx), store: s, database: database}
}

func (o *outbox) add(c *core, v backend.Value) {
	o.values = append(o.values, v)
	o.bytes += len(v.Data)
	if !slices.Contains(o.caches, c) {
		o.caches = append(o.caches, c)
	}
	if len(o.values) >= pieceValues || o.bytes >= pieceBytes {
		o.send()
	}
}

// send sends the values that have gathered.
func (o *outbox) send() {
	if len(o.values) == 0 {
		return
	}
	if !o.broken {
		ctx, cancel := context.WithTimeout(o.ctx, patience)
		o.broken = !o.store.setRemote(ctx, o.database, o.values)
		cancel()
	}
	if o.broken {
		for _, c := range o.caches {
			if !slices.Contains(o.failed, c) {
				o.failed = append(o.failed, c)
			}
		}
	}
	clear(o.values)
	o.values, o.caches, o.bytes = o.values[:0], o.caches[:0], 0
}

// close sends what is left, and counts what could not be sent.
func (o *outbox) close() {
	o.send()
	for _, c := range o.failed {
		c.stats.remoteErrors.Add(1)
	}
}
