package inspect

import (
	"context"
	"time"

	"github.com/seed-dad15c92/txcache/backend"
)

// SQLDatabase stands in a DSN for the name of a database (tenant), where each has an SQL
// database of its own.
const SQLDatabase = "{database}"

// SQLOf returns b as an SQLInspector, which looks into the SQL database of that database
// (tenant); the name may be empty where all are in one. It reports false if b is no Backend of package
// sqlbackend, which sets it.
var SQLOf func(b backend.Backend, database string) (i SQLInspector, ok bool)

// SQLUnavailable is Unavailable for what a method of an SQLInspector returned. Package
// sqlbackend sets it.
var SQLUnavailable func(err error) bool

// SQLRemedy returns what to do about an error that a method of an SQLInspector returned,
// or "" if it is no answer that is known. Package sqlbackend sets it.
var SQLRemedy func(err error) string

// An SQLInspector is a Backend that tells what its table has. The methods that it has
// beside those of a Backend change nothing: no table is created, no epoch begins,
// nothing is folded.
type SQLInspector interface {
	backend.Enlister

	// Ping asks the database whether it is there.
	Ping(ctx context.Context) error

	// Values returns where values are kept outside of the processes, nil if nowhere.
	Values() backend.Values

	// Check tries out all that a Backend does with its database, in transactions that
	// are rolled back. An error says that the database could not be asked, and comes with what was
	// learnt before; what the database refuses is in the steps.
	Check(ctx context.Context) (*SQLCheckup, error)

	// Clears returns what the table has of every database, sorted by name. It reads all rows.
	Clears(ctx context.Context) ([]Clears, error)

	// ClearsOf returns what the table has of the database called name.
	ClearsOf(ctx context.Context, name string) (*Clears, error)
}

// Clears are what the table has of a database.
type Clears struct {
	Name string
	// Digest says that the name is too long for the table: Name is what the table has in its
	// place.
	Digest bool

	Recent int // rows of one transaction each
	Packed int // rows that are the sum of others
	Bad    int // rows that cannot be read, which make the caches private to each transaction

	Count  uint64 // transactions whose clears are in the rows
	Begun  bool   // there is an epoch; without one the caches are private to each transaction
	Epoch  backend.Token
	Caches []CacheClears // those that were cleared by name, or whose keys were deleted; sorted by name
	Tags   int           // cleared tags that are remembered
}

// Deletes returns how many deleted keys and cleared tags are remembered.
func (c *Clears) Deletes() int {
	n := c.Tags
	for _, cache := range c.Caches {
		n += cache.Keys
	}
	return n
}

// CacheClears are the clears of a cache.
type CacheClears struct {
	Name   string
	Token  backend.Token // of its generation
	Count  uint64        // clears by name
	Keys   int           // deleted keys that are remembered
	Groups int           // groups of keys that some of the forgotten ones are in
}

// An SQLCheckup is how a database does what a Backend asks of it.
type SQLCheckup struct {
	Server    string // its software and version
	Replica   bool   // it takes no changes
	Isolation string // the level of a transaction that asks for none
	Exact     bool   // such a transaction has one snapshot
	Ping      time.Duration
	Table     string // as statements name it
	Missing   bool   // there is no such table; then the steps say whether it may be created
	DDL       string // creates it
	Steps     []Step
	Databases []Clears // what the table has, unless it could not be read
}

// Refused returns the steps that failed and are not optional.
func (c *SQLCheckup) Refused() []Step { return (&Checkup{Steps: c.Steps}).Refused() }
