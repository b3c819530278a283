// Package enlisted tests transactions that are enlisted in one of the database, against
// the public API: that a hit is what the same transaction would read, and that what they
// clear is part of the database's commit. The database is one in memory; real ones are
// in modules of their own.
package enlisted
