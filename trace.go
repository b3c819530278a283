package txcache

import "context"

// An Operation is something that may take time: a call of the backend, of a
// loader, or a commit around both. See [Options.Trace].
type Operation struct {
	// Name is one of
	//
	//	begin   a transaction begins, and may ask the backend for the state
	//	commit  a transaction that clears commits: fence, database commit, clear
	//	fence   the backend is told of a fence, within commit
	//	clear   the backend is told of a clear, within commit or after it
	//	load    a loader runs
	//	get     the backend is asked for values
	//	set     the backend is given values
	//	drop    a database is dropped
	Name string

	Database string
	Cache    string // "" unless it concerns one cache
	Keys     int    // the number of keys or values; 0 where there are none
}

func untraced(error) {}

// trace calls Options.Trace when an operation begins. The caller must call the returned
// function with the operation's error, or nil.
func (s *Store) trace(ctx context.Context, name, database, cache string, keys int) (context.Context, func(error)) {
	if s.opts.Trace == nil {
		return ctx, untraced
	}
	return s.opts.Trace(ctx, Operation{Name: name, Database: database, Cache: cache, Keys: keys})
}
