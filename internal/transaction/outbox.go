package transaction

import (
	"context"
	"slices"
	"time"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/internal/databases"
	"github.com/seed-dad15c92/txcache/internal/near"
)

// The limits of what an outbox sends in one call. A piece ends with the value that
// reaches either limit, so that a transaction of any size encodes little at a time.
const (
	pieceValues = 1024
	pieceBytes  = 1 << 20
)

// An outbox sends the values of one transaction to the backend, piece by piece. A value
// that the backend does not take is a miss later. After a failed piece the outbox goes
// on with the others, unless pieces have failed for longer than databases.Patience.
type outbox struct {
	ctx      context.Context
	store    *Store
	database string

	values []backend.Value
	bytes  int
	caches []*Core // whose values it has
	failed []*Core // that have lost a value
	since  int64   // when the first piece failed, as near.Now counts; 0: none has
}

// newOutbox returns an empty outbox. The end of ctx does not stop it: other
// transactions can use the values.
func (t *Transaction) newOutbox(ctx context.Context) *outbox {
	return &outbox{ctx: context.WithoutCancel(ctx), store: t.Store, database: t.Database()}
}

func (o *outbox) add(c *Core, v backend.Value) {
	o.values = append(o.values, v)
	o.bytes += len(v.Data)
	if !slices.Contains(o.caches, c) {
		o.caches = append(o.caches, c)
	}
	if len(o.values) >= pieceValues || o.bytes >= pieceBytes {
		o.send()
	}
}

// send sends the values that were added since the last piece.
func (o *outbox) send() {
	if len(o.values) == 0 {
		return
	}
	if !o.deliver() {
		for _, c := range o.caches {
			if !slices.Contains(o.failed, c) {
				o.failed = append(o.failed, c)
			}
		}
	}
	clear(o.values)
	o.values, o.caches, o.bytes = o.values[:0], o.caches[:0], 0
}

// deliver sends a piece, and reports whether the backend took all of it.
func (o *outbox) deliver() bool {
	if o.since != 0 && near.Now()-o.since > int64(databases.Patience) {
		return false
	}
	ctx, cancel := context.WithTimeout(o.ctx, PatienceWith(len(o.values), o.bytes))
	defer cancel()
	if o.store.SetRemote(ctx, o.database, o.values) {
		return true
	}
	if o.since == 0 {
		o.since = near.Now()
	}
	return false
}

// close sends the remaining values, and counts those that could not be sent.
func (o *outbox) close() {
	o.send()
	for _, c := range o.failed {
		c.Counts.RemoteErrors.Add(1)
	}
}

// PatienceWith returns how long a call with n values of so many bytes may take: a
// backend that is busy with many values takes longer than databases.Patience, and is
// not away.
func PatienceWith(n, bytes int) time.Duration {
	return databases.Patience + time.Duration(n)*100*time.Microsecond + time.Duration(bytes)*time.Microsecond
}
