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
	call         *singleflight.Call[*transaction.Transaction, transaction.Result[V]] // nil: no other transaction waits for it
	callerErrors int                                                                 // failures of other callers that may concern only them
	alone        bool                                                                // it waits for no other load of the process

	oldPayload []byte   // what the lease record replaces: a payload that is of no use any more
	uselessAt  int64    // when the backend would remove that payload, as near.Now counts; 0: the payload itself says when it ends
	waited     bool     // another process had a lease
	owners     []string // of that lease's record: its owner, and those that the owner waits for
}

// maxCallerErrors is how many failures of other callers a load waits for, if these may
// concern only those callers. Otherwise, while the database is down, each caller would
// fail after it has waited for the one before.
const maxCallerErrors = 2
