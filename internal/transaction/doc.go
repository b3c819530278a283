// Package transaction is what one transaction reads and sets: its view of the
// database, its own values, its savepoints, and where a look-up goes.
//
// A [Transaction] keeps the view that it began with ([databases.View]). What it sets
// in a [Cache] goes into an overlay of its own, which no other transaction sees; other
// transactions see at once what a read-only transaction sets, as it cannot come from
// uncommitted changes. A look-up goes to the overlay, then to the generation of the process that
// the view allows (near), then to the backend, if that keeps values (remote). If the
// transaction has cleared the cache or deleted the key, or the process has learnt of a
// newer generation, of a delete or of a fence, the cache or the key is private, and a
// look-up goes nowhere else.
//
// It is right because of four rules. A transaction reads and fills under the tokens
// of its view; so a value goes to a generation that the transaction's snapshot belongs
// to, or to one that is dead (P4). A value carries its fill, the number of the state that the
// transaction began with which has loaded it; a transaction reads a value only if its view
// shows no later delete of the key, nor a later clear of a tag of the value (P4, P11). Values that a read-write transaction sets leave it
// only by [Transaction.Publish], after its commit (P1). The transaction records what
// is set while a savepoint is open and can undo it, and it does not keep a value whose
// load began before a clear or an undo (P2).
//
// The order of the steps of a commit is in tx.go of the root package. Package loading,
// above this one, decides which transaction calls a loader, and gives the loaded
// values to this package.
//
// [Core] is a cache without the types of its keys and values, and [Cache] is the
// same with them. This is the one place where types are erased: generations and
// overlays are opaque to all but their cache.
package transaction
