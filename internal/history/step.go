package history

import (
	"context"
	"time"
)

// A History is what Generate makes of a seed: what there is, and what happens.
type History struct {
	Seed  uint64
	World World
	Steps []Step
}

// A World is what a history happens in. The zero value of each field stands for
// that of DefaultWorld.
type World struct {
	Servers   int
	Databases []string
	Caches    []CacheSpec
	Keys      []string // of rows and cached values
	People    []Who
	Open      int // how many transactions are open at once

	// Goroutines is how many goroutines may use a transaction at once. 1: each
	// transaction has a goroutine of its own.
	Goroutines int

	// Late is how late a server may learn of what was committed or dropped on
	// another; its own commits and drops count at once.
	Late time.Duration

	// Behind is how many commits the replicas of the database may be behind on which some
	// read-only transactions begin, where servers are Enlisters; 0: there are none.
	Behind int

	// Kept says that servers keep a value until it is cleared, or its key is deleted. Interleave
	// demands it then; see [Missing].
	Kept bool

	// Faults may come between any two steps; there are none by default. In a
	// world with faults a server may answer ErrRefused.
	Faults []Fault
}

// A Fault is something that befalls the servers. It may cost hits, and no more
// than that.
type Fault struct {
	Name   string
	Befall func(context.Context)

	// Unfences says that it may take down the fences of commits under way.
	// What those write counts for other servers only when they have returned and
	// their clears have arrived.
	Unfences bool
}

// A Step is one step of one transaction. Steps that make no sense where they
// come, because others were taken out of the history or their transaction ended
// early, are passed over.
type Step struct {
	Tx        int // number of the transaction; Drop has one as well
	Goroutine int // of the transaction's, which takes the step; 0 begins it
	Do        Action

	Server, Database int  // of Begin and Drop
	ReadOnly         bool // of Begin
	Repeatable       bool // of Begin: repeatable read, not read committed
	Shared           bool // of Begin: by several goroutines
	Behind           int  // of Begin, where servers are Enlisters: on a replica that is so many commits behind

	Cache, Key, Who int
	Client          int // in the user context, where it makes no difference

	ClearFirst bool // Write: clear before the write, not some time after it, or in shared transactions right after it
	By         Means
	Gone       bool // Write: remove the row
	All        bool // Write, Commit: clear all caches, not just those that show the row. LoadMany: all keys
	Panic      bool // Undo: by a panic, not an error
	Outcome    Outcome

	Trouble Trouble // of the loader of Load and LoadMany
	Absent  bool    // Load, LoadMany, Fill: say of rows that are not there that they are absent; always where hits are verified

	Fault int // of Break
}

// An Action is what a step does.
type Action uint8

// The actions. Those marked with n pauses stop there until the next step of
// their goroutine, so that others come in between. Fill and Write do not in
// shared transactions; see the package comment.
const (
	Continue  Action = iota // go on after a pause
	Begin                   // Store.Begin; the database's begins with its first statement
	Snapshot                // first statement of the database transaction, if there was none
	Get                     //
	GetMany                 // all keys
	Load                    // 2 pauses on a miss: before and after the read
	LoadMany                // the key and the next, or all; 2 pauses as in Load
	Fill                    // read and set; 2 pauses: before and after the read
	Write                   // write a row of the cache's table; 1 pause if ClearFirst: after the clear
	Clear                   //
	ClearAll                //
	Delete                  // the key
	ClearTag                // that of the row or that of its last write
	Savepoint               // begin a savepoint
	Release                 // end the innermost savepoint
	Undo                    // undo the innermost savepoint
	Commit                  // clear what is still to be cleared, and commit; 2 pauses: before and after it takes effect
	Rollback                //
	Drop                    // remove a database, drop it, make it again; 2 pauses: in between
	Break                   // a fault of the world; its own transaction
	end                     // roll back what is open when the history is over
)

// Means say how Write and Commit take away what caches show of a row that was written,
// and which tag ClearTag clears.
type Means uint8

// The means. Where a value bears no tags, and where an absence may be known, the key is
// deleted in place of the tag.
const (
	ByClear  Means = iota // clear the caches that show it
	ByDelete              // delete the row's key in them
	ByRow                 // clear the tag of the row
	ByWrite               // clear the tags of the writes that were overwritten
)

// An Outcome is how the database's commit ends.
type Outcome uint8

// The outcomes.
const (
	Commits   Outcome = iota
	Fails             // not applied, and says so
	Ambiguous         // applied, but nobody knows
	Panics            // not applied, and nobody knows
	Lost              // the same, with an error
)

// A Trouble is what a loader gets into.
type Trouble uint8

// The troubles.
const (
	Well      Trouble = iota
	Failing           // it returns an error, having read
	Panicking         // it panics, having read
	Slow              // it takes a while
	Cancelled         // the caller's context ends before the read, and it says so
	Leaving           // the caller's context ends after the read
)
