// Package history plays seeded random histories of transactions on a
// transactional cache over a simulated database with real snapshots, and checks
// every hit.
//
// A history is a flat list of steps, each of one transaction and one of the
// goroutines that share it: begin, take the
// snapshot, get, load one value or many, write rows and clear the caches that show them, open
// savepoints and undo them, commit (well, failing, or failing though applied),
// roll back, drop the database. Steps of others, also of other goroutines of the
// same transaction, come in anywhere: between a
// loader's read and the fill, within savepoints, and within the database's
// commit, before and after it takes effect. Loaders get into trouble: they fail,
// panic, are slow, or lose their caller. [Generate] makes a history from a
// seed; [Interleave] plays it in one goroutine, always in the same order, and
// [Race] with goroutines; [Check] plays many and, when one fails, shrinks it to
// a short story.
//
// What is played on is behind [Server] and [Tx], so that the same histories run
// on stores of txcache over any backend (package subject) and on schemes that
// are known to be wrong (package baseline), which must be caught.
//
// # What users promise
//
// The player keeps the contract of a user of the cache. Store.Begin comes
// before the database transaction's first read, but Store.Enlist after it has begun. A value that is set was read
// from the database in the same transaction, after everything that this
// transaction wrote to the row. Whoever writes a row clears the caches that
// show it in the same transaction, or deletes its key there: right before the write, or at any time after
// it and before the commit. In caches whose values bear tags it may, after the write, clear the tag
// of the row, or those of the writes that it has overwritten, in place of the key; not
// where there was no row, as an absence bears no tags. In its own transaction that is less than a
// delete: a value of a write that others have overwritten since it began bears
// another tag, and it may still hit that. A database is first removed, then dropped from the
// cache, and only then made again. Where hits are verified, there is one way to
// say that there is no row: that it is absent.
//
// Goroutines that share a transaction load as they like. What they change they
// order among themselves: they clear after a write, not before; nobody writes or
// undoes anything between another's read and its Set; savepoints are set and
// rolled back in the database within those of the cache, and nest; a commit
// comes when all is cleared, and nobody changes anything any more.
//
// # What is checked
//
// Each write of a row has a number that no other has, and each cached [Value]
// says which write it shows and for which database, cache, key and user it was
// loaded. So a hit tells all about itself. The rules, each with the promise
// that it follows from:
//
//   - [Island] (P7): the value is of the database, cache, key and user asked
//     for. Nothing may cross.
//   - [Uncommitted] (P1): a write shown is committed, or it is the
//     transaction's own.
//   - [RolledBack] (P2): a write shown was not undone, be it by rollback, by a
//     failed commit, by a savepoint (also in the transaction that made it), or
//     because the same transaction wrote the row again before it committed.
//   - [Stale] (P3, P4): the write shown was not yet overwritten by a committed
//     one when Store.Begin was called. The database shows a commit from within
//     its CommitWith on, so the time between the database's commit and the
//     clear counts as well. That an old transaction's fill is never seen by a
//     newer one needs no rule of its own: it would be such an old value.
//     In a world where servers learn late ([World].Late) what another server
//     committed less than that ago does not count, nor what it dropped.
//   - [Exact] (P12): where servers keep their generations in the database ([Enlister]), a hit of
//     a transaction at repeatable read is what its own snapshot shows, or a write of its
//     own, of which other rules say when it may see it. The snapshot may be
//     that of a replica which is behind ([World.Behind]). At read committed Stale holds.
//   - [Own] (P1): in a read-write transaction, a hit under a key that the
//     transaction set since it last cleared the cache is the value it set
//     last; otherwise a cache that it cleared has no hits; and where it wrote
//     the row and cleared the cache, the hit shows its own last write. What a
//     loader that was called before a clear or an undone savepoint returned after
//     it is not set. In a race, what another goroutine of the transaction changes
//     while the look-up is under way does not count, and of values that several
//     set at once any may be there.
//   - [Dropped] (P7): nothing from before a drop is seen by a transaction that
//     began after it; one that was open sees nothing at all, once the drop
//     returned, on the server that dropped. Where servers are Enlisters it may
//     still see what its own snapshot shows.
//   - [Missing] (P11): nothing is lost that nobody took away. Where [World].Kept says so,
//     Interleave notes which values of others a transaction has hit; a later
//     one on the same server must hit them again, unless the database was dropped, or
//     a commit that clears their cache, their key or one of their tags was under way since.
//   - [Ended]: a transaction that has ended has no hits.
//   - [Mismatch]: no hit is reported ([ReportStale]) to differ from what is loaded
//     although nobody has cleared, as players clear whenever they write. A commit
//     without a fence, because of a fault, and a world where servers learn late
//     are no contradiction to that.
//   - [Failed]: nothing fails or panics that was not made to fail, and what
//     the database's commit answered is what CommitWith answers. Who loads is
//     told that the own loader failed, or that of another for which it has
//     waited, unless there is a hit all the same: an expired value, or one that
//     was to be verified.
//
// An answer of Load that there is nothing, without a call of the loader, is a hit
// as well, of the row before its first write. It does not say which life of the
// database it is from: it is taken to be of the one that the database is in, so
// that a drop which it outlived is not noticed, but a row that was written since
// is. An expired value in place of an error is a hit like any other: it may be
// old, but not overwritten. What a loader has read itself is no hit.
//
// In a world with faults, a fault that takes fences down delays what the commits
// under way have written, for other servers, until they have returned and their
// clears have arrived (see [Announcer]). A commit that was refused has left no trace, and a drop that was refused is repeated.
// Nothing else is forgiven.
//
// Where servers are no Enlisters, a transaction at repeatable read may hit a committed value newer than its
// snapshot: another transaction with the same state of the cache may have
// loaded it from a later snapshot. The promises exclude old values only.
//
// Servers load again early in the background ([Refresher]), in snapshots of their
// own and whenever they like; so histories with caches that refresh, like those
// with values that expire, do not go the same way each time. [Report] has counts
// of what servers do by themselves ([Counter]), to demand that they do it.
//
// A cache that always misses passes all of these, so [Report] counts hits, and
// [Quiet] demands them where nothing stands in their way, [Recover] when a fault
// is over.
package history
