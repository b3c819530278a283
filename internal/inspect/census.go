package inspect

import "github.com/seed-dad15c92/txcache/backend"

// A Census is what the server keeps of the caches of a database.
type Census struct {
	Database Database
	Caches   []CacheCount // those that were cleared by name, are fenced or have values, by name

	// Sampled says that not all keys were looked at: counts and sizes are
	// extrapolated from Looked keys to the Size of the server. A cache with few
	// values among many keys may be missing.
	Sampled      bool
	Looked, Size int64
}

// A CacheCount is what the server keeps of one cache.
type CacheCount struct {
	Name   string
	Token  backend.Token // of its generation; "" if the generations are not kept
	Fenced bool
	Live   Amount // values of that generation
	Dead   Amount // values of generations that are over: nobody reads them
}

// An Amount is a number of values with the memory they take.
type Amount struct {
	Values int64
	Bytes  int64 // names included; -1 if the server does not tell
}
