package txcache

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/seed-dad15c92/txcache/config"
	"github.com/seed-dad15c92/txcache/internal/limits"
)

// Options are the settings of a [Store]. The zero value of each field, and a
// nil *Options, stand for the default.
type Options struct {
	// Size is the number of values that a cache keeps in the process for each
	// database, where neither Sizes nor CacheOptions.Size says otherwise.
	// The default is 1024; math.MaxInt stands for no limit. Memory is taken as
	// values come.
	Size int

	// Sizes are the sizes of single caches, by name. They override
	// CacheOptions.Size: the operator's configuration overrides the program's.
	Sizes map[string]int

	// Memory is about how many bytes the values of all databases may take in the process,
	// with what belongs to them. Where there are more, values and whole databases go that
	// were not used for longest. Values of a large tenant make room for it before those of others do. The
	// default is a quarter of what the process may use: the least of the machine's memory, the limit
	// of its control groups, and GOMEMLIMIT; math.MaxInt64 stands for no limit. See docs/memory.md.
	Memory int64

	// OverlaySize is the number of values of one cache that a transaction keeps to
	// itself until it ends. Where a read-write transaction sets more, it drops any of
	// them: it reads the keys of dropped values from the database again, and does not
	// publish these values (Stats.Overflows). A read-only transaction gives its values to
	// others as they come, so it meets the limit only in a cache that is fenced and
	// within a savepoint. The default is 65536, or the cache's size if that is more.
	OverlaySize int

	// Poll, if positive, lets a transaction begin with what this process
	// learnt of its database up to Poll ago, instead of asking the backend
	// each time. A transaction then sees commits of other processes up to Poll
	// late, and those of this process at once.
	Poll time.Duration

	// CommitOnOutage says what CommitWith does when the backend cannot be told
	// of a clear. By default CommitWith returns ErrUnavailable and does not run the
	// database commit. If set, it runs the database commit, and the store repeats
	// the clear until the backend accepts it; other processes that do reach the
	// backend may read what should be cleared until then, and for good if this
	// process dies first.
	CommitOnOutage bool

	// ContextIgnoredKeys are keys of user contexts that make no difference
	// to any cache. No cache looks at the values under them.
	ContextIgnoredKeys []string

	// Fence is the lease of a fence: for how long caches are bypassed after
	// the process that was committing a clear died. A commit that takes longer
	// renews it. The default is a minute, the minimum 100 milliseconds.
	Fence time.Duration

	// CommitTimeout is how long the database may take for its answer to a commit.
	// It replaces the deadline of the context that the caller gives to CommitWith:
	// the end of that context does not reach the database's commit. A commit without
	// an answer is in doubt, so this should be long. The default is a minute.
	CommitTimeout time.Duration

	// NotCommitted, if not nil, reports whether an error of a database's commit is
	// the database's refusal: nothing was committed, and nothing will be. It is
	// for drivers whose errors have no SQLSTATE, such as those of SQLite, where the
	// program has no commit function that could mark them; see the function
	// NotCommitted. sqltx and txpgx tell their callers accordingly. It must be safe for
	// concurrent use.
	NotCommitted func(error) bool

	// Lease is CacheOptions.Lease for caches that have none of their own. The
	// default is none.
	Lease time.Duration

	// NoNear keeps no values in the process when the backend keeps them
	// itself. It is ignored for a backend that does not.
	NoNear bool

	// OnStale, if not nil, gets each hit that CacheOptions.Verify finds to be
	// stale. The Load that found it calls OnStale in its own goroutine, and waits
	// for it.
	OnStale func(context.Context, StaleHit)

	// Trace, if not nil, is called when an operation begins. It returns a context
	// for what happens within the operation, and a function that the store calls
	// with the operation's error, or nil, when the operation has ended. Trace and
	// that function must be safe for concurrent use; neither result may be nil. The
	// store does not trace operations that do not leave the transaction, leases, and
	// the renewal and removal of fences.
	Trace func(context.Context, Operation) (context.Context, func(error))

	// Logger gets records of outages, of stale hits, and of values that could
	// not be encoded or decoded, at most one of a kind for each database and
	// cache, and a hundred of a kind for all, every ten seconds. The records name
	// caches and databases, never keys or values. The default is slog.Default().
	Logger *slog.Logger
}

const (
	defaultSize          = 1024
	defaultOverlaySize   = 65536
	defaultFence         = time.Minute
	defaultCommitTimeout = time.Minute
)

// withDefaults returns a checked copy with every default in its place.
func (o *Options) withDefaults() (Options, error) {
	var opts Options
	if o != nil {
		opts = *o
	}
	switch {
	case opts.Size < 0:
		return opts, fmt.Errorf("txcache: Options.Size is %d; it must not be negative", opts.Size)
	case opts.Memory < 0:
		return opts, fmt.Errorf("txcache: Options.Memory is %d; it must not be negative", opts.Memory)
	case opts.OverlaySize < 0:
		return opts, fmt.Errorf("txcache: Options.OverlaySize is %d; it must not be negative", opts.OverlaySize)
	case opts.Poll < 0:
		return opts, fmt.Errorf("txcache: Options.Poll is %v; it must not be negative", opts.Poll)
	case opts.Lease < 0:
		return opts, fmt.Errorf("txcache: Options.Lease is %v; it must not be negative", opts.Lease)
	case opts.CommitTimeout < 0:
		return opts, fmt.Errorf("txcache: Options.CommitTimeout is %v; it must not be negative", opts.CommitTimeout)
	case opts.Fence < 0 || opts.Fence > 0 && opts.Fence < limits.ShortestFence:
		return opts, fmt.Errorf("txcache: Options.Fence is %v; it must be %v at least, or 0 for the default", opts.Fence, limits.ShortestFence)
	}
	opts.Sizes = maps.Clone(opts.Sizes)
	opts.ContextIgnoredKeys = slices.Clone(opts.ContextIgnoredKeys)
	for name, size := range opts.Sizes {
		if err := limits.CheckName("cache", name); err != nil {
			return opts, fmt.Errorf("txcache: Options.Sizes: %s", strings.TrimPrefix(err.Error(), "txcache: "))
		}
		if size <= 0 {
			return opts, fmt.Errorf("txcache: Options.Sizes[%q] is %d; it must be positive", name, size)
		}
	}
	if opts.Size == 0 {
		opts.Size = defaultSize
	}
	if opts.Memory == 0 {
		opts.Memory = config.Memory("").Bytes()
	}
	if opts.Fence == 0 {
		opts.Fence = defaultFence
	}
	if opts.CommitTimeout == 0 {
		opts.CommitTimeout = defaultCommitTimeout
	}
	if opts.Logger == nil {
		opts.Logger = slog.Default()
	}
	return opts, nil
}

// options returns those that cfg asks for.
func options(cfg *config.Config) *Options {
	return &Options{
		Size:               cfg.Size,
		Sizes:              cfg.Sizes,
		Memory:             cfg.Memory.Bytes(),
		OverlaySize:        cfg.OverlaySize,
		Poll:               cfg.Sync.Every(),
		CommitOnOutage:     cfg.Outage == config.OutageCommit,
		ContextIgnoredKeys: cfg.ContextIgnoredKeys,
		Fence:              cfg.Redis.Fence,
		Lease:              cfg.Redis.Lease,
		NoNear:             !cfg.Redis.Near,
	}
}

// CacheOptions are the settings of a [Cache]. The zero value of each field, and
// a nil *CacheOptions, stand for the default.
type CacheOptions struct {
	// Size is the number of values kept in the process for each database.
	// The default is Options.Size; Options.Sizes overrides both.
	Size int

	// Duration is how long a value stays valid after it was set, if SetFor or LoadFor
	// do not say otherwise; a hit does not extend it. With the default, 0, it stays valid until it is cleared. A
	// backend that keeps values outside of the process may have a limit of its own,
	// and keep no value for longer (redis: "duration").
	Duration time.Duration

	// Jitter is the share of Duration, 0 to 1, by which the cache shortens a value's
	// TTL at random, so that values that were set together do not expire together:
	// 0.1 makes it 90 to 100 per cent. The default is 0.
	Jitter float64

	// Absent is how long the cache remembers that the database has nothing under a
	// key (see ErrAbsent), if that is less than Duration. The default, 0, is as
	// long as a value; negative is not at all.
	Absent time.Duration

	// StaleFor is for how long after its expiry Load and LoadMany may return a value
	// if their loader fails. They never return one that was cleared. The default, 0,
	// is not at all. It concerns values that expire. The process keeps expired
	// values as long as there is room, the backend until a cache with a Lease begins
	// to load. Programs that share a backend must give a cache the same StaleFor: for how long
	// the backend keeps a value tells them when it expires.
	StaleFor time.Duration

	// Lease lets processes that share a backend agree that one of them loads a
	// value. That process has this long to do so, and the others wait this long for
	// it before they load themselves. It costs a round trip on each load in a
	// read-only transaction. The default, 0, is Options.Lease; negative is none. It
	// is ignored where the backend keeps no values, or is no backend.Swapper.
	Lease time.Duration

	// LoadLimit lets a load outlive the caller that began it. If it is positive, and RefreshEarly
	// has given the cache a loader that works without a caller, then Load of a key that is not there has that loader run
	// in the background, for this long at most, and waits for it. If the caller's context ends first, Load returns
	// its error at once; the load goes on, other callers wait for it, and the value is kept.
	//
	// If that loader fails so that this may concern it alone, panics, or reaches the limit, the callers that wait
	// call their own loader, as if there were no LoadLimit; they also do so where 32 loads run in the background
	// already, with refreshes. A caller that holds a connection runs its own loader always, as
	// the loader in the background needs one too: in a read-write transaction, within a loader,
	// and where the database transaction has begun (see [Tx.SetSide]; sqltx and
	// txpgx say so, and begin it when it is needed). One that holds a connection of which the store is
	// not told must not use such a cache. The default, 0, is that loaders end with their callers.
	LoadLimit time.Duration

	// ContextFree says that the values do not depend on the user context: the user
	// and the context of the transaction's handle are no part of the key.
	ContextFree bool

	// IgnoreContext are keys of the user context that make no difference to
	// this cache, besides Options.ContextIgnoredKeys. It does not look at the
	// values under them; see [Tx.WithContext].
	IgnoreContext []string

	// With Warm, a transaction that commits also publishes what it set after its
	// last clear of the cache, if no other transaction cleared the cache meanwhile.
	// So a transaction must clear after its writes: a value that it loaded between a
	// clear and a later write would be published as it was before that write.
	// Without Warm, the next readers load.
	Warm bool

	// Version is part of the shape of the values, beside their type: caches of one
	// name in several programs do not read each other's values if their versions
	// differ. A clear of one version clears all versions. Change it when values mean
	// something else although their type is the same: a price in cents that was one
	// in euros. Any number will do. It makes no difference where the backend keeps no
	// values.
	Version int

	// Tables are the tables of the database whose rows the values show. [Tx.Changed] and
	// [Tx.ChangedRows] of one of them clear the cache.
	//
	// A table is named as in SQL, with its schema or without, and without regard to case
	// and quotes. A name without a schema stands for the tables of that name in all schemas.
	Tables []string

	// RowsOf are tables as well. Of these a value shows one row alone: that whose
	// primary key is the value's key. Tx.ChangedRows of one of them deletes the keys of the
	// changed rows and leaves the other values, Tx.Changed clears the cache. A cache whose
	// keys are something else names the table in Tables. So does one whose keys differ in Go where the
	// database has them for equal, as MySQL has strings that differ in case.
	RowsOf []string

	// Verify is the share of hits of Load in read-only transactions, 0 to 1,
	// for which the loader runs as well: 0.001 is one hit in a thousand, 0, the
	// default, none. If the loader returns another value (neither deeply equal nor
	// encoded alike, whatever the zones of times) and no transaction has cleared the
	// cache since this one began, the hit was stale: Load counts it
	// (Stats.Mismatches), logs it, passes it to Options.OnStale, and sets and returns
	// the loaded value. So forgotten clears come to light in production. If the
	// loader fails, Load returns the hit. Where servers learn late of each other's
	// clears (redis: sync = "channel"), a clear that is still on its way counts as
	// forgotten.
	Verify float64
}

func (o *CacheOptions) check() error {
	switch {
	case o.Size < 0:
		return fmt.Errorf("size is %d; it must not be negative", o.Size)
	case o.Duration < 0:
		return fmt.Errorf("duration is %v; it must not be negative", o.Duration)
	case o.LoadLimit < 0:
		return fmt.Errorf("load limit is %v; it must not be negative", o.LoadLimit)
	case o.StaleFor < 0:
		return fmt.Errorf("stale for is %v; it must not be negative", o.StaleFor)
	case !(o.Jitter >= 0 && o.Jitter <= 1): // nor NaN
		return fmt.Errorf("jitter is %v; it must be a share from 0 to 1", o.Jitter)
	case !(o.Verify >= 0 && o.Verify <= 1): // nor NaN
		return fmt.Errorf("verify is %v; it must be a share from 0 to 1", o.Verify)
	}
	return nil
}

// An Operation is something that may take time: a call of the backend, of a
// loader, or a commit around both. See [Options.Trace].
type Operation struct {
	// Name is one of
	//
	//	begin   a transaction begins, and may ask the backend for the state
	//	commit  a transaction that clears commits: fence or record, database commit, clear
	//	fence   the backend is told of a fence, within commit
	//	clear   the backend is told of a clear, within commit or after it
	//	load    a loader runs
	//	get     the backend is asked for values
	//	set     the backend is given values
	//	drop    a database is dropped
	Name string

	Database string
	Cache    string // "" unless it concerns one cache
	Keys     int    // the number of keys or values; 0 where there are none
}

func untraced(error) {}

// trace calls Options.Trace when an operation begins. The caller must call the returned
// function with the operation's error, or nil.
func (s *Store) trace(ctx context.Context, name, database, cache string, keys int) (context.Context, func(error)) {
	if s.opts.Trace == nil {
		return ctx, untraced
	}
	return s.opts.Trace(ctx, Operation{Name: name, Database: database, Cache: cache, Keys: keys})
}
