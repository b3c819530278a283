// Package inspect lets those who operate a service see what Redis keeps, or the table of
// class sql, through doors that no user of packages redisbackend and sqlbackend has.
// Package internal/command is made of it.
//
// It has what can be asked and what the answers are. Packages redisbackend and sqlbackend, which
// know the layout in Redis and that of the table, have the answers.
package inspect

import (
	"context"

	"github.com/seed-dad15c92/txcache/backend"
)

// Of returns b as an Inspector. It reports false if b is no Backend of package
// redisbackend, which sets it.
var Of func(b backend.Backend) (i Inspector, ok bool)

// ValuesOf returns v as a ValuesInspector. It reports false if v is no Values of package
// redisbackend, which sets it.
var ValuesOf func(v backend.Values) (i ValuesInspector, ok bool)

// A ValuesInspector tells of a server that keeps values, and may keep nothing else. An Inspector is
// one.
type ValuesInspector interface {
	// Ping asks the server whether it is there.
	Ping(ctx context.Context) error

	// Check tries out all that a service does with its server, in a database of
	// its own, of which nothing is left. An error says that the server is
	// unavailable, and comes with what was learnt before; what the server refuses
	// is in the steps.
	Check(ctx context.Context) (*Checkup, error)
}

// Unavailable reports whether err, which a method of an Inspector
// returned, says that the server could not be reached, did not answer in
// time, or cannot serve now. Other errors concern what was asked. Package
// redisbackend sets it.
var Unavailable func(err error) bool

// An Inspector is a Backend that tells what its server keeps. The methods that it
// has beside those of a Backend change nothing, but for Sweep: no epoch starts, no
// fence is resolved. A walk over keys takes SCAN on every master, gently: it rests
// for as long as it works.
type Inspector interface {
	backend.Backend
	backend.Observed
	ValuesInspector

	// Databases returns the databases of the deployment of which the server keeps
	// generations or values, sorted by name. It walks over all keys of the server.
	Databases(ctx context.Context) ([]Database, error)

	// Database returns what the server keeps of the generations of the database
	// called name, by one read.
	Database(ctx context.Context, name string) (*Database, error)

	// Caches counts the values of the database called name. It looks at no more
	// than limit keys of the server, give or take a page, and asks for the size of
	// some values of each cache; limit 0 is all keys, and the size of every value.
	Caches(ctx context.Context, name string, limit int64) (*Census, error)

	// Entries calls visit with the place of every value of a cache, or of all
	// caches of the database if cache is "": of all generations, those that are
	// over included, and in no order. A value may be visited twice. It walks over
	// the keys of the server. An error of visit ends the walk and is returned as it
	// is.
	Entries(ctx context.Context, database, cache string, visit func(*Entry) error) error

	// Find returns the values of one generation of a cache that match, sorted by
	// schema and key, and how many matched altogether: no more than limit are
	// returned. It walks over the keys of the server, as what else their names hold
	// (schemas, users) is not known.
	Find(ctx context.Context, database, cache string, token backend.Token, limit int, match func(*Entry) bool) (found []Found, matched int, err error)

	// Watch calls visit, one call at a time, for the changes of the database called
	// only, of every one if that is "". They are announced whatever the options of
	// the Backend say. Changes that follow each other closely may come as one.
	//
	// It returns nil when ctx is done, an error of visit as it is, and an error if
	// the server is not there at the beginning. Where it is lost later, Watch waits
	// for it and says so.
	Watch(ctx context.Context, only string, visit func(Change) error) error

	// Sweep removes the values of generations that are over, of every database of
	// the deployment, and returns how many. It walks over all keys of the server;
	// what it would remove expires anyway.
	Sweep(ctx context.Context) (removed int, err error)
}
