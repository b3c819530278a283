// Package backend defines what a cache asks of the authority that keeps the
// generations of its databases, so that other authorities can be plugged in.
//
// A backend is small and dumb. It knows which generation each cache of each
// database is at, which keys were deleted lately, and which caches and keys are
// fenced; it hands that out as a [State] and changes it when told to. Everything that makes transactions right
// (private overlays, when to fence, when to clear, what to publish) is done by
// package txcache, once, for every backend.
//
// The suite in package backendtest holds a backend to the rules that are
// written here. A backend that passes it can be given to txcache.New, or
// registered under a class with txcache.Register.
package backend

import (
	"context"
	"errors"
	"time"
)

// ErrClosed is what the methods of a closed backend return.
var ErrClosed = errors.New("txcache: backend is closed")

// ErrNotSent is wrapped by the error of a call of which the backend knows that
// nothing was sent to the authority, nor will be: it need not be undone. A
// backend that leaves an authority alone which does not answer says so of the
// calls that it refuses meanwhile.
var ErrNotSent = errors.New("txcache: nothing was sent to the backend's authority")

// A Backend is the authority for the generations of every database.
//
// All methods are safe for concurrent use and obey ctx. A database is any
// non-empty, valid UTF-8 string, cache names likewise; a backend gives no
// character a meaning. A database needs no creation: one that was never seen
// has a State like any other. What happens to one database changes nothing in
// another.
//
// An error means that the authority could not be reached or did not answer in
// time; what was asked may have been done all the same, unless the error wraps
// ErrNotSent. So every method can be repeated: a fence placed twice is one fence, and a clear given twice at worst
// clears, and deletes, twice.
//
// A backend may be set up to learn late of what other processes have done, if it
// says how late. What was done through the Backend itself it always shows at once.
type Backend interface {
	// Sync returns the state of database.
	//
	// The state is at least as new as every change whose call, by anyone,
	// anywhere, had returned before Sync was called, but for keys and tags that it shows as
	// fenced: a Backend may show them so for a while after their fence is gone. Where nothing has changed since the last State
	// that this Backend returned for database, it returns that same pointer.
	Sync(ctx context.Context, database string) (*State, error)

	// Fence places the fence f, as the caches of f are about to be cleared and its
	// keys to be deleted, or renews it. From its return until Clear, Unfence or the end
	// of f.Lease, whichever is first, every State shows them as fenced. A Backend that was not
	// there to see the fence placed or renewed may show them so for up to
	// f.Lease from when it has first looked: no clock tells it since when the
	// fence stands.
	//
	// Several fences may stand on one cache or key; it is fenced while one stands.
	// A fence on keys fences these keys, not their caches. A fence whose lease has
	// ended counts as cleared, not as removed: its owner may have committed. The tokens of that clear are of the backend's
	// making, never f.ID, for the owner may yet commit and clear. A backend
	// whose fences cannot outlive their owner may ignore the lease.
	//
	// A caller gives the same fence again to renew it, and none once it has
	// called Clear or Unfence for it.
	Fence(ctx context.Context, database string, f Fence) error

	// Clear starts a new generation of every cache of f, deletes the keys of f, removes
	// the fence f, and returns a State that shows all of it. A caller whose own context may be
	// done by now gives another one: until Clear is done the fence stands.
	//
	// Each new generation gets a token that was never in use before. That is
	// f.ID for each cache of f.Caches that is still at the generation given
	// there, if f stands and was not cleared before; in any other case it is
	// a token of the backend's own making. So a caller that finds a cache at
	// f.ID knows that nobody cleared it between the generation it named and
	// this clear. Clear needs no Fence before it.
	//
	// A delete has the number of the change that is this Clear, or this end of a
	// lease: above the Number of every State that does not show the delete, and
	// not above that of any State that does. It stays in the State as long as
	// State.Deletes has room, after a clear of other caches too; the deletes of a
	// cache that is cleared may go, and with a clear of all those of the tags.
	// No key is deleted that f does not name, but for forgetting. A Clear that is
	// repeated after it was done deletes again, with the first as the delete
	// before, or leaves the deletes as they are. So a caller that finds no delete
	// between its beginning and this one knows that nobody else deleted the key,
	// nor filled it after the end of a lease.
	Clear(ctx context.Context, database string, f Fence) (*State, error)

	// Unfence removes the fence f without a clear: the transaction ended before
	// its database commit began. A fence that does not stand is no error.
	Unfence(ctx context.Context, database string, f Fence) error

	// Drop forgets database: its State gets another Epoch and with it other
	// tokens, its fences and deletes are gone, and so are its values, at the latest soon
	// after. A database of that name may be used again at once.
	Drop(ctx context.Context, database string) error

	// Close releases what the backend holds. Methods called later return
	// ErrClosed; calling Close again does nothing.
	Close() error
}

// Aged is implemented by a Backend whose Sync may show late what others have done.
type Aged interface {
	Backend

	// SyncAged is Sync, and tells how late: the state is at least as new as every
	// change whose call had returned age before SyncAged was called. It is 0 where
	// the authority was asked, and never more than Stats.Staleness.
	SyncAged(ctx context.Context, database string) (state *State, age time.Duration, err error)
}

// Forgetter is implemented by a Backend that keeps something in the process for each
// database that was used.
type Forgetter interface {
	Backend

	// Forget lets go of what the process keeps of database, as that was not used for long, and no
	// transaction of the process uses it. The database is as it was for all others, with one
	// exception: where the process is the authority, all caches may be at new generations, and the
	// Epoch be another. It returns false, and does nothing, if a fence of the process stands or a call is under way. It
	// asks nobody.
	Forget(database string) bool
}

// A Fence says that one transaction is about to commit clears and deletes.
//
// It is a value: a backend does not change what it refers to, nor keep
// references to Caches, Keys or their Hashes after the call.
type Fence struct {
	// ID names the fence and, where Clear finds nothing in the way, the
	// generations that it starts. It comes from NewToken and is used for one
	// transaction.
	ID Token

	// Caches are the caches to clear, sorted by name, each once, with the token
	// of the generation that the transaction began with ("" where it had none).
	Caches []Generation

	// Keys are the keys to delete, and the tags to clear, sorted by cache, each cache
	// once. There are none for a backend whose State.Number is 0.
	Keys []Keys

	// All says that every cache of the database is to be cleared, also those
	// that Caches does not name. It says nothing of tags, for they are no cache.
	All bool

	// Lease is how long the fence stands if its owner dies, from the last
	// Fence call, by a clock that nobody sets: a monotonic one, of the
	// authority's process or of those that look. It is positive.
	Lease time.Duration
}

// Values is implemented by a Backend that also keeps encoded values outside of
// the process. Its methods are safe for concurrent use and obey ctx.
//
// Values are addressed by generation, so a backend need not know which of them
// are of any use: those of a dead generation are never asked for again.
type Values interface {
	// Get returns the data kept under each of keys, in their order, nil for
	// those that are not there. It takes one round trip where that can be.
	// The caller owns what is returned. With an error, the data of those keys
	// may be returned that were answered, nil for the others.
	Get(ctx context.Context, keys []Key) ([][]byte, error)

	// Set keeps values, in one round trip where that can be, each no longer
	// than its TTL; it may keep any of them for less. It does not keep or change
	// the slices it is given. One that cannot be kept is no reason not to keep
	// the others; the error is then that of the first.
	Set(ctx context.Context, values []Value) error
}

// Timed is implemented by Values that tell how much longer they keep a value, by
// a clock that is the same for all processes. Without it, the age of a value is
// judged by the clock of the process that has set it.
type Timed interface {
	Values

	// GetTimed is Get, and returns for each of keys how much longer what is kept
	// under it stays there if nobody sets it again: what is left of the TTL that
	// it was set with, at the moment of the call or later, never more. It is
	// negative for what stays for ever, and means nothing for what is not there.
	GetTimed(ctx context.Context, keys []Key) (data [][]byte, left []time.Duration, err error)
}

// Limited is implemented by Values that keep nothing for ever.
type Limited interface {
	// TTL returns how long a value that is set without a TTL of its own is
	// kept. It is positive and always the same.
	TTL() time.Duration
}

// Bounded is implemented by Values that keep none of more than so many bytes.
// Larger ones stay in the process that set them. A larger one that Set is given
// all the same is not kept, and Set says so.
type Bounded interface {
	// Largest returns how long the data of a value may be. It is positive and
	// always the same.
	Largest() int
}

// Observed is implemented by a Backend that can tell how it is doing.
type Observed interface {
	// Stats returns at once, without asking the authority.
	Stats() Stats
}

// Stats are counts since a Backend was made, and its condition now. What does
// not apply to a Backend is zero.
type Stats struct {
	RoundTrips uint64        // requests sent, whatever their number of commands
	Commands   uint64        // commands sent
	Failures   uint64        // requests that were not served
	Syncs      uint64        // requests for the state of a database; one may serve several calls of Sync
	SyncTime   time.Duration // that they took together
	Waits      uint64        // changes that waited until others used no earlier state
	WaitTime   time.Duration // that they waited together
	LateWaits  uint64        // those that waited for one that did not answer soon, or not at all
	WaitedOut  uint64        // those that waited for one that did not answer until it could use none any more
	Terms      int           // databases of which Sync now returns a state without asking, which is the newest all the same
	Removed    uint64        // values removed because their database was dropped or their generation is over
	Garbage    int64         // values of generations that are over, about, which are still there
	Open       bool          // a breaker is open: calls are refused, as the authority does not answer
	Listening  bool          // changes are announced to the Backend, and nothing was missed
	Staleness  time.Duration // how late Sync may show what others did, at most; 0: it never is

	SyncDurations Durations // of Syncs, by how long each took
	WaitDurations Durations // of Waits that are over, by how long each took
}

// Swapper is implemented by Values that can change a value depending on what is
// there. Without it, processes cannot agree on which of them loads a value.
type Swapper interface {
	// Swap keeps, for each of swaps, New under the key if what is kept there
	// is Old, and returns what it found, in their order: where that is Old, it
	// was done. Each is atomic by itself. It takes one round trip where that
	// can be. It does not keep or change the slices it is given, and the caller
	// owns what is returned.
	//
	// After an error, any of them may have been done.
	Swap(ctx context.Context, swaps []Swap) ([][]byte, error)
}

// A Swap is a change that depends on what is there. Nil stands for nothing in
// Old, in New, and in what Swap finds.
type Swap struct {
	Key
	Old, New []byte
	TTL      time.Duration // of New; 0: as long as the backend keeps values at all
}

// A Key addresses one value of one generation of one cache of one database.
// Keys that differ in any field address different values.
type Key struct {
	Database string
	Cache    string
	Schema   string // a fingerprint of the shape of the cache's values
	Token    Token  // the cache's generation
	Key      string // the canonical form of the cache's key and user context
}

// A Value is encoded data to be kept under a key.
type Value struct {
	Key
	Data []byte
	TTL  time.Duration // 0: as long as the backend keeps values at all
}
