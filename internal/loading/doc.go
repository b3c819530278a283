// Package loading decides who calls a loader, and for whom.
//
// A call of Load or LoadMany is [Cache.Load] for its items: a batch takes what is in the process, asks
// the backend once for the rest, calls the loader once for what nobody else is
// loading, and then waits for what others load. Within a process the transactions
// that need the same key of the same generation share one call (package
// singleflight); with a lease, processes do, by a record in the value's place
// (lease.go, record.go). A load that would wait in a cycle loads for itself (chain.go,
// waits.go). Values are loaded again before they expire (refresh.go), compared with
// the database (verify.go), used after they have expired if the loader fails
// (batch.go), and known to be absent (absent.go).
//
// Of a transaction the package knows whether it is read-only, has a savepoint open,
// and has ended; of a cache, how to look a key up, keep a result, and where a key is
// in the backend. What it loads it gives to package transaction to keep, with the
// number of cuts that there were before: only that knows what a transaction may
// see and keep. So what is here can cost a load too many or a wait, but no stale
// value: calls and leases belong to a generation (P4), only a read-only transaction
// leads, as it can have seen nothing that others must not (P1), and what a failed
// loader said is shared only if it is not of its caller's own circumstances.
package loading
