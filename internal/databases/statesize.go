package databases

import (
	"math"

	"github.com/seed-dad15c92/txcache/backend"
)

const (
	deleteBytes = 48 // of each delete or sum that a state remembers
	tokenBytes  = 48 // of each cache that has a token of its own
)

// countState accounts for s in place of the state that was counted before; nil is none. What states share
// with those before them is counted once. db.mu is held.
func (db *Database) countState(s *backend.State) {
	bytes := 0
	if s != nil {
		bytes = deleteBytes*(s.Deletes.Len()+s.Sums.Len()) + tokenBytes*len(s.Caches)
	}
	bytes = min(bytes, math.MaxInt32)
	db.Account(bytes - int(db.stateBytes))
	db.stateBytes = int32(bytes)
}
