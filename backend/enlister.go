package backend

import "context"

// An Enlister is a Backend that keeps the generations in the SQL database that is
// cached. A clear is written by the transaction that changes the rows, so it is
// committed or rolled back with them; and which clears a transaction sees, its own
// snapshot says. So there is nothing to fence, to renew, to be in doubt about or to
// announce: Fence and Unfence do nothing.
//
// The States of an Enlister have no order: an older snapshot, a replica that is behind
// and a database that was restored are each right about what they show. What was cached
// under a State is right under every other one in which the cache has the same token,
// and the key and the tags of the value have the same sums; see [State.Sums]. Version
// and Number are 0.
//
// What the methods of Backend show or change without a transaction of the caller's, they
// read, or write, in one of their own.
type Enlister interface {
	Backend

	// State returns the state of database as the snapshot of q shows it: the same
	// pointer for the same state where the Backend knows it still. It changes nothing.
	// At an isolation level that takes a snapshot for the whole transaction it is exact,
	// whenever it is called; at read committed it shows what was committed when it was
	// called.
	//
	// After an error q may be of no use any more, as databases abort a transaction in which a
	// statement has failed.
	State(ctx context.Context, q Querier, database string) (*State, error)

	// Record writes into q that it clears the caches of f and deletes its keys; q must not
	// be read-only. from is the state with which q began. Record returns the generations
	// that the caches of f.Caches have in a snapshot that shows what from shows, this
	// record, and nothing else: what q publishes at its commit it publishes under them. If from
	// is AllFenced, no snapshot may ever have them.
	// The sum of a key of f.Keys is in such a snapshot that of from plus f.ID.Number(). After
	// an error nothing must be committed.
	Record(ctx context.Context, q Querier, database string, from *State, f Fence) ([]Generation, error)
}

// Preparer is implemented by an Enlister that has something to do before the first
// transaction of a database reads a State, such as making its table.
type Preparer interface {
	Enlister

	// Prepare does it, in transactions of the Backend's own. It returns at once when it
	// has been done. Callers who can call it before a transaction begins; where nobody does, the
	// first transactions find every cache private.
	Prepare(ctx context.Context, database string) error
}

// Defaulted is implemented by an Enlister of a database whose transactions have one snapshot where
// no isolation level is asked for.
type Defaulted interface {
	Enlister

	// DefaultExact reports whether that is so, unless the database is set up otherwise.
	DefaultExact() bool
}

// Isolated is implemented by an Enlister that learns with a State at which isolation
// level it was read. Some databases tell that of the session instead, which is that of the
// transaction only if it was begun without one of its own.
type Isolated interface {
	Enlister

	// StateExact is State, and reports whether the whole transaction q has one snapshot,
	// so that what it reads later is of the same moment, as far as the database tells.
	StateExact(ctx context.Context, q Querier, database string) (state *State, exact bool, err error)
}

// A Querier is one transaction of an SQL database, or one connection. Adapters of *sql.Tx and pgx.Tx are a few
// lines. It is used by one goroutine at a time.
type Querier interface {
	// Query executes a statement that returns rows, and calls row for each of them,
	// with the function that scans it, as in (*sql.Rows).Scan. An error of row ends it and is
	// returned as it is.
	Query(ctx context.Context, sql string, args []any, row func(scan func(...any) error) error) error

	// Exec executes a statement, and returns how many rows it has inserted or deleted.
	Exec(ctx context.Context, sql string, args []any) (affected int64, err error)
}
