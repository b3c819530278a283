// Service measures what a user of a service sees: requests a second and the time of a
// request, of a service of two processes over one PostgreSQL, without a cache, with caches
// as they are commonly put beside a database, and with txcache.
//
//	go -C bench run ./service -o ../docs/benchmarks
//
// It starts a PostgreSQL and a redis-server, which must be installed, and itself, once for
// each process of the service. Most requests read rows by their keys, the others change one
// row in a transaction. The processes share a table of the newest version of each row whose
// commit has returned, so the program also counts the reads that were stale.
//
// It needs a system of the Unix kind.
package main
