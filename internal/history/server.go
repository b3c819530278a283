package history

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// An Open opens the servers of one history: as many as asked for, over one
// authority that has seen nothing yet, each with the given caches.
type Open func(ctx context.Context, servers int, caches []CacheSpec) ([]Server, error)

// A Server is one process's side of the cache under test. [Race] uses it, and
// its transactions, from many goroutines at once.
type Server interface {
	Begin(ctx context.Context, database string, readOnly bool) (Tx, error)
	Drop(ctx context.Context, database string) error
	Close() error
}

// An Announcer is a Server whose commits may return before the others can know
// of what was cleared, because of a fault.
type Announcer interface {
	Waiting() int // how many such commits there are
}

// ErrRefused is what CommitWith, Drop and Close answer when a fault of the world
// does not let them do their work. A CommitWith that was refused has not run the
// commit; a Drop is to be repeated.
var ErrRefused = errors.New("history: refused because of a fault")

// ErrAbsent is what a loader of Load answers, and then Load, where there is no
// row.
var ErrAbsent = errors.New("history: absent")

// ErrEnded is what Load and LoadMany may answer in a transaction that has ended.
var ErrEnded = errors.New("history: the transaction has ended")

// A Counter is a Server that counts what it does.
type Counter interface {
	Counts() map[string]uint64 // by what is counted
}

// A Tx is a transaction as one user sees it. Caches are given by their index
// among those that were asked for. The methods do what those of txcache.Tx and
// txcache.Cache do.
type Tx interface {
	As(Who) Tx // another handle on the same transaction
	Get(ctx context.Context, cache int, key string) (Value, bool)
	GetMany(ctx context.Context, cache int, keys []string) map[string]Value
	Load(ctx context.Context, cache int, key string, load func(context.Context) (Value, error)) (Value, error)
	LoadMany(ctx context.Context, cache int, keys []string, load func(ctx context.Context, missing []string) (map[string]Value, error)) (map[string]Value, error)
	Set(cache int, key string, value Value)
	SetAbsent(cache int, key string)
	Clear(cache int) error
	ClearAll() error
	Delete(cache int, keys ...string) error
	ClearTags(tags ...string) error
	Savepoint(fn func(Tx) error) error
	CommitWith(ctx context.Context, commit func(context.Context) error) error
	Rollback() error
}

// A CacheSpec describes a cache. It shows the rows of one table. What a server
// does not know of it leaves out.
type CacheSpec struct {
	Name        string
	Table       int
	ContextFree bool
	Tagged      bool // its values bear the tags that Value.Tags returns
	Warm        bool
	Size        int           // 0: the default
	Duration    time.Duration // 0: until cleared
	Jitter      float64       // of Duration
	StaleFor    time.Duration // for which expired values may be had if the loader fails
	Absent      time.Duration // how long absence is remembered; 0: like values, negative: not at all
	Lease       time.Duration // of who loads for all servers
	Verify      float64       // share of the hits that are compared with what the loader returns; see [ReportStale]
	Refresh     bool          // where ContextFree: load again what is about to expire; see [Refresher]
}

// A Who is a user context. In a cache that is not ContextFree, values depend on
// User and Lang; Client makes no difference (see [IgnoredKey]).
type Who struct {
	User   any    // nil: none
	Lang   string // "": none
	Client int
}

// Keys of a Who's values in a user context.
const (
	LangKey    = "lang"
	IgnoredKey = "client" // ignored by every cache
)

// in returns what a value of the cache depends on.
func (w Who) in(c CacheSpec) string {
	if c.ContextFree || w.User == nil && w.Lang == "" {
		return ""
	}
	return fmt.Sprintf("%T %v %s", w.User, w.User, w.Lang)
}

// A Value is what is cached. It says where it is from.
type Value struct {
	Database string
	Life     int // how many databases of this name there were before
	Cache    string
	Key      string
	Who      string
	Write    int  // number of the write that the row shows; 0: there is no row yet
	Gone     bool // that write removed the row
}

// there reports whether there is a row.
func (v Value) there() bool { return v.Write > 0 && !v.Gone }

// Tags returns the tags of a value in a cache that is Tagged: one that every value under
// its key bears, and one that depends on the write.
func (v Value) Tags() []string { return []string{rowTag(v.Key), writeTag(v.Write)} }

func rowTag(key string) string { return "row " + key }

// writeTag returns a tag that some values have in common, whatever their keys.
func writeTag(write int) string { return "write " + strconv.Itoa(write%7) }

func (v Value) String() string {
	life := ""
	if v.Life > 0 {
		life = fmt.Sprintf(" of life %d", v.Life)
	}
	switch {
	case v.Write == 0:
		return "no row" + life
	case v.Gone:
		return fmt.Sprintf("no row since w%d%s", v.Write, life)
	}
	return fmt.Sprintf("w%d%s", v.Write, life)
}
