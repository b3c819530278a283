package databases

import "github.com/seed-dad15c92/txcache/backend"

// A Cache is what databases know of a cache.
type Cache struct {
	ID       uint32 // of the caches of one process, from 1
	Name     string
	Contents Contents
}

// Contents makes and manages what a cache holds in one database and generation. It is
// opaque to other packages: only the cache knows the types of its keys and values.
type Contents interface {
	New(backend.Token) any // never nil
	Len(any) int
	Empty(any) // removes all values; other goroutines may be reading and filling
}

// A generation is what a cache holds in a database under one token.
type generation struct {
	cache    *Cache
	token    backend.Token
	contents any
}
