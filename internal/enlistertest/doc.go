// Package enlistertest is an SQL database in memory, without SQL: rows of user data, and
// a [backend.Enlister] that keeps its generations beside them. It is for tests of what
// uses an Enlister, and a reference for those of real ones.
//
// Each transaction reads a snapshot of both, at once (exact) or for each statement
// (read committed). So a test can compare what a cache hits with what the same snapshot
// has in its rows.
package enlistertest
