// Package acceptance shows that the promises of docs/design.md hold through the
// public API, over every kind of backend: what transactions, savepoints, caches
// and stores do, and what they do with extreme names, keys, sizes and options.
//
// Its folders show more of that: commits, what a commit tells the authority, and
// outages; loads, what the loading functions promise; redis, what takes real
// servers of Redis; histories, random histories of many transactions, which are
// checked against a simulated database.
package acceptance
