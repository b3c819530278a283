// Package baseline has caches as they are commonly built around a database
// transaction. Each breaks promises that txcache keeps; that package history
// finds out which is the proof that its checks bite.
package baseline

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/seed-dad15c92/txcache/internal/history"
)

// A Scheme is a way to build a cache.
type Scheme struct {
	Name string

	// Early deletes cleared caches before the database's commit, instead of
	// after it.
	Early bool

	// Through lets others see what a transaction sets at once, even if it has
	// cleared the cache. Otherwise that is so up to its first clear.
	Through bool

	// Deferred lets others see what a read-write transaction sets after its
	// commit.
	Deferred bool

	// Unwinding forgets what a savepoint did when it is undone.
	Unwinding bool

	// Lasting keeps what belonged to a dropped database.
	Lasting bool

	// Endless goes on to answer transactions that have ended.
	Endless bool

	// Key makes the key of a value. The default keeps everything apart.
	Key func(database, cache, key string, who history.Who) any
}

// The schemes. Where a name is of a practice, it is that practice at its best.
var (
	// CacheAside sets on a miss, and deletes after the commit.
	CacheAside = Scheme{Name: "cache-aside", Deferred: true, Unwinding: true}

	// DeleteFirst deletes before the commit.
	DeleteFirst = Scheme{Name: "delete before commit", Early: true, Deferred: true, Unwinding: true}

	// WriteThrough sets what a transaction reads and writes at once.
	WriteThrough = Scheme{Name: "write-through", Through: true, Unwinding: true}

	// NoSavepoints knows transactions, but not savepoints.
	NoSavepoints = Scheme{Name: "no savepoints", Deferred: true}

	// NoDrop has no way to drop a database.
	NoDrop = Scheme{Name: "no drop", Deferred: true, Unwinding: true, Lasting: true}

	// NoEnd lets transactions that have ended read on.
	NoEnd = Scheme{Name: "no end", Deferred: true, Unwinding: true, Endless: true}

	// StringKeys joins the parts of a key with colons.
	StringKeys = Scheme{Name: "string-built keys", Deferred: true, Unwinding: true, Key: func(database, cache, key string, who history.Who) any {
		parts := []string{database, cache, key}
		if who.User != nil {
			parts = append(parts, fmt.Sprint(who.User))
		}
		if who.Lang != "" {
			parts = append(parts, who.Lang)
		}
		return strings.Join(parts, ":")
	}}

	// NoDatabase has one key for all databases.
	NoDatabase = Scheme{Name: "keys without database", Deferred: true, Unwinding: true, Key: func(_, cache, key string, who history.Who) any {
		return [3]any{cache, key, who}
	}}

	// NoUser has one key for all users.
	NoUser = Scheme{Name: "keys without user", Deferred: true, Unwinding: true, Key: func(database, cache, key string, _ history.Who) any {
		return [3]string{database, cache, key}
	}}
)

// Open opens servers over one map of values.
func (s Scheme) Open(_ context.Context, n int, caches []history.CacheSpec) ([]history.Server, error) {
	if s.Key == nil {
		s.Key = func(database, cache, key string, who history.Who) any { return [4]any{database, cache, key, who} }
	}
	shared := &server{scheme: s, caches: caches, values: map[any]entry{}}
	servers := make([]history.Server, n)
	for i := range servers {
		servers[i] = shared
	}
	return servers, nil
}

// A server keeps the values of all.
type server struct {
	scheme Scheme
	caches []history.CacheSpec

	mu     sync.Mutex
	values map[any]entry
}

// An entry is a value and where it is to be found to be deleted.
type entry struct {
	database, cache string
	value           history.Value
}

func (s *server) Begin(_ context.Context, database string, readOnly bool) (history.Tx, error) {
	return &tx{transaction: &transaction{server: s, database: database, readOnly: readOnly, own: overlay{}, cleared: map[int]bool{}}}, nil
}

func (s *server) Drop(_ context.Context, database string) error {
	s.remove(func(e entry) bool { return e.database == database && !s.scheme.Lasting })
	return nil
}

func (s *server) Close() error { return nil }

func (s *server) get(key any) (history.Value, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.values[key]
	return e.value, ok
}

func (s *server) set(values overlay) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, e := range values {
		s.values[key] = e
	}
}

func (s *server) remove(which func(entry) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key, e := range s.values {
		if which(e) {
			delete(s.values, key)
		}
	}
}
