// Package transaction is what one transaction reads and sets: its view of the
// database, its own values, its savepoints, and where a look-up goes.
//
// A [Transaction] keeps the view that it began with ([databases.View]). What it sets
// in a [Cache] goes into an overlay of its own, where nobody else sees it; what a
// read-only transaction sets goes to others at once, as it cannot be of uncommitted
// changes. A look-up goes to the overlay, then to the generation of the process that
// the view allows (near), then to the backend, if that keeps values (remote). If the
// transaction has cleared the cache, or the process has learnt of a newer
// generation or of a fence, the cache is private, and a look-up goes nowhere else.
//
// It is right because of three rules. What a transaction reads or fills is under the
// tokens of its view; so a value goes to a generation that the transaction's snapshot
// belongs to, or to one that is dead (P4). What a read-write transaction sets leaves
// it only by [Transaction.Publish], after its commit (P1). What was set while a
// savepoint was open is recorded and can be undone, and what a goroutine began to load
// before a clear or an undo is not kept after it (P2).
//
// The order of the steps of a commit is not here but in tx.go of the root package.
// Package loading, above, decides who calls a loader, and gives what was loaded to
// this one to keep.
//
// [Core] is a cache without the types of its keys and values, and [Cache] is the
// same with them. This is the one place where types are erased: generations and
// overlays are opaque to all but their cache.
package transaction
