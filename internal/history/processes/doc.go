// Package processes plays random histories between several processes that share
// a real Redis and a real PostgreSQL, and checks every hit.
//
// The test binary runs itself as [Workers] workers, each with a store, caches and
// connections of its own. In each of them some goroutines, the actors, do one
// random transaction after another, of the kinds that package history knows:
// reading and filling in every way, writing, deletes of keys and clears of caches and tags, savepoints of both sides, commits
// that fail and commits of which nobody knows the outcome, drops. Meanwhile the
// test kills workers, stops them, and lets faults befall the servers. Where a
// worker dies is not left to chance: a [Point] is a step of a commit or a drop,
// and whoever comes there next dies there.
//
// # How it is checked
//
// Every write of a row draws a number from a sequence of the database while it
// holds the row's lock, so that the numbers of one row grow in the order of the
// commits. A cached value says which number it shows, and for which database,
// cache, key and user it was loaded.
//
// Nobody keeps a log. What has to be known of everybody is on a [Board], memory
// that all processes share and that outlives them: for each row a lower bound, the
// newest version that is known to be committed, because its commit has answered or
// because somebody has seen it in the database; for each number whether it was
// sent to be committed, or undone for certain; the last events of each row, for
// the story of a violation; and all counts. Before Store.Begin a transaction
// takes a copy of the lower bounds. A hit that is older than its lower bound violates P3 or
// P4, one that was never sent to be committed P1, one that was undone P2, and one
// of another database, life, cache, key or user P7. The rules, and what users
// promise, are those of package history.
//
// Where a store may be late, the lower bounds are those of so long ago for what other
// processes did. A fault that may take fences down, if it comes between a
// transaction's fence and its database's commit, delays what that has written,
// for others, until its clear has arrived. So does a stop of its process for so long that
// its fence may have ended. Nothing else is forgiven.
//
// # Terms
//
// With sync = "lease" each worker asks for the state of each database all the time, so that it has a term
// whenever it can, and transactions begin without a question to Redis. Those are counted, and
// the hits in them: where there are none, nothing is shown of terms. Terms are played that are
// shorter than most transactions, and such as are much longer. Between each worker and Redis there can be a
// network that loses messages, or brings them late or twice. The same plays with writers that do not
// wait for members find hits that are stale.
//
// # Playing it again
//
// TXCACHE_SEED makes everybody choose as in an earlier run; in which order they
// come to it is up to the scheduler, so that a violation may need some tries.
// TXCACHE_HISTORY=n plays n times as long, and, from 2 on, terms of both lengths everywhere. This
// plays some ten million hits with terms:
//
//	TXCACHE_HISTORY=6 go -C internal/history/processes test -count=1 -timeout 60m -v -run Terms .
package processes
