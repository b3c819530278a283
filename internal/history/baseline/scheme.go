// Package baseline has caches as they are commonly built around a database
// transaction. Each breaks promises that txcache keeps; that package history
// finds out which is the proof that its checks bite.
package baseline

import (
	"fmt"
	"strings"

	"github.com/seed-dad15c92/txcache/internal/history"
)

// A Scheme is a way to build a cache. By default, cleared caches are deleted
// after the database's commit.
type Scheme struct {
	Name     string
	Practice string // in a line

	// Early deletes cleared caches before the database's commit.
	Early bool

	// Bounded keeps from a cache those transactions that began before it was
	// last cleared. The time of that is taken before the database's commit.
	Bounded bool

	// Counted deletes nothing: the keys of a cache have a counter in them, as it
	// was when the transaction began, that goes up by one after the commit.
	Counted bool

	// KeyCounted deletes nothing either: each key has a counter in it, as it was when the
	// transaction looked it up, that goes up by one after the commit.
	KeyCounted bool

	// Twice deletes a second time, a while after the commit.
	Twice bool

	// Numbered deletes nothing: what happens is numbered, a value has the number under
	// which it was loaded, and is hit only if that is as high as the number of the last
	// delete of its key, and of the last clear of its cache and of each of its tags. What
	// is about to be committed has a fence. The last deletes of a cache are
	// remembered; its floor rises to those that are forgotten. These are the rules of
	// txcache; of them Unfenced leaves out the fences, Newest numbers a value by the
	// newest state in place of the one that its transaction began with, Unfloored forgets deletes
	// and raises no floor, and Unchecked publishes what a transaction deletes and
	// sets although others have deleted it too.
	Numbered, Unfenced, Newest, Unfloored, Unchecked bool

	// Enlisted keeps generations in the database: what a transaction clears is a row that it commits
	// with its data, and the generation of a cache, as a snapshot shows it, is the
	// sum of the random numbers of the rows. What was loaded at read committed may be newer, and
	// is kept apart. These are the rules of txcache's class sql; of them Highest takes the highest ID of
	// the rows in place of the sum, Newest the newest state that the process knows in place of the
	// transaction's own, Mixed keeps nothing apart, Loose lets transactions at read committed fill what
	// those at repeatable read look up, and Epochless uses a sum of no rows.
	Enlisted, Highest, Mixed, Loose, Epochless bool

	// Forgetful loses the counters when a fault says so, and counts from zero.
	Forgetful bool

	// Through lets others see what a transaction sets at once, even if it has
	// cleared the cache. Otherwise that is so up to its first clear.
	Through bool

	// Deferred lets others see what a read-write transaction sets after its
	// commit.
	Deferred bool

	// Unwinding forgets what a savepoint did when it is undone.
	Unwinding bool

	// Belated keeps what a goroutine has loaded although another one of the
	// transaction has cleared the cache, or undone a savepoint, meanwhile.
	Belated bool

	// Lasting keeps what belonged to a dropped database.
	Lasting bool

	// Endless goes on to answer transactions that have ended.
	Endless bool

	// Key makes the key of a value. The default keeps everything apart.
	Key func(database, cache, key string, who history.Who) any
}

// The schemes. Where a name is of a practice, it is that practice at its best.
var (
	CacheAside = Scheme{Name: "cache-aside", Practice: "read through on a miss, delete after the commit", Deferred: true, Unwinding: true}

	DeleteFirst = Scheme{Name: "delete before commit", Practice: "read through on a miss, delete right before the commit", Early: true, Deferred: true, Unwinding: true}

	LowerBound = Scheme{Name: "lower bound", Practice: "transactions that began before the last clear keep to themselves; its time is taken before the commit",
		Bounded: true, Deferred: true, Unwinding: true}

	Versioned = Scheme{Name: "versioned namespace", Practice: "a counter in the keys, read at begin, goes up after the commit", Counted: true, Deferred: true, Unwinding: true}

	VersionedLost = Scheme{Name: "versioned namespace, evicted", Practice: "the same, and now and then the counters are lost and restart from zero",
		Counted: true, Forgetful: true, Deferred: true, Unwinding: true}

	DoubleDelete = Scheme{Name: "delete twice", Practice: "read through on a miss, delete right before the commit and again a while after it",
		Early: true, Twice: true, Deferred: true, Unwinding: true}

	VersionedKeys = Scheme{Name: "versioned keys", Practice: "a counter for each key, read before a load, goes up after the commit", KeyCounted: true, Deferred: true, Unwinding: true}

	NoFence = Scheme{Name: "numbers, no fence", Practice: "the rules of txcache, but nothing keeps readers off what is being committed",
		Numbered: true, Unfenced: true, Deferred: true, Unwinding: true}

	NewestFill = Scheme{Name: "numbers of the newest state", Practice: "the rules of txcache, but what is loaded has the number of the newest state, not of the begin",
		Numbered: true, Newest: true, Deferred: true, Unwinding: true}

	NoFloor = Scheme{Name: "numbers, no floor", Practice: "the rules of txcache, but deletes that are forgotten raise no floor",
		Numbered: true, Unfloored: true, Deferred: true, Unwinding: true}

	Unchecked = Scheme{Name: "numbers, unchecked write-through", Practice: "the rules of txcache, but what is deleted and set is published although others have deleted it too",
		Numbered: true, Unchecked: true, Deferred: true, Unwinding: true}

	HighestID = Scheme{Name: "sums, but max(id)", Practice: "the rules of txcache's class sql, but a cache is at the highest ID of the rows that clear it",
		Enlisted: true, Highest: true, Deferred: true, Unwinding: true}

	NewestState = Scheme{Name: "sums, but the newest", Practice: "the rules of txcache's class sql, but a transaction uses the newest state that the process knows",
		Enlisted: true, Newest: true, Deferred: true, Unwinding: true}

	OneClass = Scheme{Name: "sums, nothing apart", Practice: "the rules of txcache's class sql, but exact values and newer ones are in one place",
		Enlisted: true, Mixed: true, Deferred: true, Unwinding: true}

	LooseFill = Scheme{Name: "sums, loose fills", Practice: "the rules of txcache's class sql, but what is loaded at read committed counts as exact",
		Enlisted: true, Loose: true, Deferred: true, Unwinding: true}

	NoEpoch = Scheme{Name: "sums, no epoch", Practice: "the rules of txcache's class sql, but caches are used without a row, and now and then all rows are lost",
		Enlisted: true, Epochless: true, Deferred: true, Unwinding: true}

	WriteThrough = Scheme{Name: "write-through", Practice: "set at once what a transaction reads and writes", Through: true, Unwinding: true}

	NoSavepoints = Scheme{Name: "no savepoints", Practice: "cache-aside that knows transactions, but not savepoints", Deferred: true}

	NoCuts = Scheme{Name: "late loads", Practice: "cache-aside that keeps what is loaded, whatever other goroutines of the transaction have cleared or undone meanwhile",
		Deferred: true, Unwinding: true, Belated: true}

	NoDrop = Scheme{Name: "no drop", Practice: "cache-aside without a way to drop a database", Deferred: true, Unwinding: true, Lasting: true}

	NoEnd = Scheme{Name: "no end", Practice: "cache-aside that lets transactions that have ended read on", Deferred: true, Unwinding: true, Endless: true}

	StringKeys = Scheme{Name: "string-built keys", Practice: "cache-aside with keys joined by colons", Deferred: true, Unwinding: true, Key: joined}

	NoDatabase = Scheme{Name: "keys without database", Practice: "cache-aside with one cache for all databases", Deferred: true, Unwinding: true,
		Key: func(_, cache, key string, who history.Who) any { return [3]any{cache, key, who} }}

	NoUser = Scheme{Name: "keys without user", Practice: "cache-aside with one value for all users", Deferred: true, Unwinding: true,
		Key: func(database, cache, key string, _ history.Who) any { return [3]string{database, cache, key} }}
)

// All returns the schemes, but for those of Enlisting, the most common practices first.
func All() []Scheme {
	return []Scheme{
		CacheAside, DeleteFirst, DoubleDelete, LowerBound, Versioned, VersionedLost, VersionedKeys, WriteThrough,
		NoFence, NewestFill, NoFloor, Unchecked,
		NoSavepoints, NoCuts, NoDrop, NoEnd, StringKeys, NoDatabase, NoUser,
	}
}

// Enlisting returns the schemes that keep generations in the database.
func Enlisting() []Scheme {
	return []Scheme{HighestID, NewestState, OneClass, LooseFill, NoEpoch}
}

// apart keeps everything apart.
func apart(database, cache, key string, who history.Who) any {
	return address{database, cache, key, who}
}

type address struct {
	database, cache, key string
	who                  history.Who
}

func joined(database, cache, key string, who history.Who) any {
	parts := []string{database, cache, key}
	if who.User != nil {
		parts = append(parts, fmt.Sprint(who.User))
	}
	if who.Lang != "" {
		parts = append(parts, who.Lang)
	}
	return strings.Join(parts, ":")
}
