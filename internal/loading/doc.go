// Package loading decides who calls a loader, and for whom.
//
// [Cache.Load] and [Cache.LoadMany] handle their keys as items: a batch takes the
// items that are in the process, asks the backend once for the rest, calls the loader
// once for the items that no other transaction is loading, and then waits for those
// that others load. Within a process the transactions that need the same key of the
// same generation share one call (package singleflight); with a lease, processes share
// it too, by a record in the value's place (lease.go, record.go). A load that would
// wait in a cycle calls its own loader (chain.go, waits.go). The package loads values
// again before they expire (refresh.go), compares them with the database (verify.go),
// uses expired ones if the loader fails (batch.go), and remembers absences
// (absent.go).
//
// The package knows of a transaction whether it is read-only, has a savepoint open,
// and has ended; of a cache, how to look a key up, keep a result, and where a key is
// in the backend. It gives what it loads to package transaction, with the number of
// cuts that there were before: only that package knows what a transaction may see and
// keep. So a mistake here can cost a needless load or a wait, but no stale value:
// calls and leases belong to a generation (P4); only a read-only transaction leads,
// because it can have seen nothing that others must not see (P1); and callers share an
// error of a loader only if it does not concern its caller alone.
package loading
