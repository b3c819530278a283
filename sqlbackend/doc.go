// Package sqlbackend keeps generations in the SQL database that is cached. It is the
// authority behind class "sql".
//
// A transaction that clears inserts one row into a table, with a random number; so
// the clear is committed, rolled back, replicated and restored with the data. The
// generation of a cache is the sum of the numbers of the clears that a snapshot shows.
// So two snapshots with the same generation of a cache show the same data of it, and nothing
// can be lost apart from the data. See docs/design.md for the argument.
//
// # The table
//
// A row has the database (tenant) that it tells of, a token, which is the random number, and
// the clears, in JSON. Those of a transaction are an array. Its elements are the names of caches, ""
// for all, and objects that have the hashes of deleted keys by cache, under "" those of tags:
//
//	["users", "orders", {"prices": ["00c0ffee00c0ffee"]}]
//
// Many rows are folded into one, an object that has for each cache how many clears there were and the
// sum of their numbers modulo 2⁶², and may have the sums of keys and of groups of keys:
//
//	{"": [1, 1234], "users": [2, 5678], "prices": [0, 0, {"00c0ffee00c0ffee": 9012}, {"17": 3456}]}
//
// Any program, or a trigger, may clear by inserting an array, with n = 1 and a token that is
// random in at least 50 bits. All rows of a database may be deleted at any time: it begins
// anew then. A row that cannot be read makes the caches of its database private
// to each transaction, until it is deleted together with the others.
//
// The name of a database is in the table as it is if it is made of printable ASCII
// characters without spaces and percent signs, and else with these escaped as in URLs; one that
// is longer than 190 bytes is there as its SHA-256.
//
// # Isolation
//
// At repeatable read on PostgreSQL, MySQL and MariaDB, and always on SQLite, hits are
// what the transaction's own snapshot would load. At read committed they are never older than
// what was committed when the transaction began. A serializable transaction that
// writes must read the state before it begins, or it conflicts with every
// other one that clears.
package sqlbackend
