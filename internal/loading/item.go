package loading

import (
	"github.com/seed-dad15c92/txcache/internal/singleflight"
	"github.com/seed-dad15c92/txcache/internal/transaction"
)

// An item is one key of a call of Load or LoadMany, and what is known of it.
type item[K comparable, V any] struct {
	key       transaction.Key[K]
	cacheable bool
	transaction.Result[V]
	hit          bool
	call         *singleflight.Call[*transaction.Transaction, transaction.Result[V]] // nil: nobody waits for it
	callerErrors int                                                                 // others that have failed, for reasons that may be their own
	alone        bool                                                                // it waits for no other load of the process

	oldPayload []byte   // what is of no use any more in the place of its lease
	uselessAt  int64    // when that goes, as near.Now counts; 0: it says so itself
	waited     bool     // another process had a lease
	owners     []string // what the record of that lease says: its owner, and those that the owner waits for
}

// maxCallerErrors is how many failures of other callers a load waits for, if they may
// be their own. While the database is down, each caller would otherwise fail after
// having waited for the one before.
const maxCallerErrors = 2
