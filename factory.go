package txcache

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/config"
	"github.com/seed-dad15c92/txcache/internal/cause"
	"github.com/seed-dad15c92/txcache/memorybackend"
	"github.com/seed-dad15c92/txcache/sqlbackend"
)

// An OpenFunc opens the backend of a class. It reads what is its own in the
// configuration with cfg.Section. It should not wait for a server: a service
// may start while that is away.
type OpenFunc func(ctx context.Context, cfg *config.Config) (backend.Backend, error)

const modulePath = "github.com/seed-dad15c92/txcache/"

var (
	classesMu sync.RWMutex
	classes   = map[string]OpenFunc{
		"memory": openMemory, modulePath + "memorybackend": openMemory,
		"sql": openSQL, modulePath + "sqlbackend": openSQL,
	}
)

func openMemory(context.Context, *config.Config) (backend.Backend, error) {
	return memorybackend.New(), nil
}

func openSQL(ctx context.Context, cfg *config.Config) (backend.Backend, error) {
	var values sqlbackend.Values
	if cfg.SQL.Values == config.ClassRedis {
		var err error
		if values, err = openValues(ctx, cfg); err != nil {
			return nil, err
		}
	}
	b, err := sqlbackend.Open(ctx, cfg)
	switch {
	case values == nil:
		return b, err
	case err != nil:
		return nil, errors.Join(err, values.Close())
	}
	return sqlbackend.WithValues(b, values), nil
}

// Register makes a backend available under class, which by convention is the
// import path of the package that calls it, in its init function. It panics if
// class is empty or taken, or open is nil.
func Register(class string, open OpenFunc) {
	classesMu.Lock()
	defer classesMu.Unlock()
	switch {
	case class == "" || open == nil:
		panic("txcache: Register needs a class and a function")
	case classes[class] != nil:
		panic(fmt.Sprintf("txcache: class %q is registered twice", class))
	}
	classes[class] = open
}

// Classes returns what `class` may be in a configuration, sorted.
func Classes() []string {
	classesMu.RLock()
	defer classesMu.RUnlock()
	return slices.Sorted(maps.Keys(classes))
}

// Open opens the store that a TOML file configures; see package config for
// what may be in it. In a program that was built with the tag txcache_noredis,
// which leaves the client of Redis out, class "redis" is unknown.
func Open(ctx context.Context, path string) (*Store, error) {
	cfg, err := config.Load(path)
	if err != nil {
		return nil, err
	}
	return OpenConfig(ctx, cfg)
}

// OpenConfig opens the store that cfg describes. A cfg made by hand starts as
// config.Default().
func OpenConfig(ctx context.Context, cfg *config.Config) (*Store, error) {
	b, opts, err := FromConfig(ctx, cfg)
	if err != nil {
		return nil, err
	}
	s, err := New(b, opts)
	if err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return s, nil
}

// FromConfig returns the backend and the options that cfg describes, for [New]. It
// is for programs that add to the options what no file can say, such as a Logger;
// others use [OpenConfig]. The backend is the caller's to close until New has it.
// That of class redis logs to slog.Default(), whatever Options.Logger says.
func FromConfig(ctx context.Context, cfg *config.Config) (backend.Backend, *Options, error) {
	if cfg == nil {
		return nil, nil, errors.New("txcache: a configuration is needed; config.Default() is one")
	}
	if err := cfg.Validate(); err != nil {
		return nil, nil, err
	}
	classesMu.RLock()
	open := classes[cfg.Class]
	classesMu.RUnlock()
	if open == nil {
		return nil, nil, fmt.Errorf("txcache: unknown class %q; registered are %s; "+
			"a class of one's own is registered by importing its package, which calls txcache.Register%s",
			cfg.Class, strings.Join(Classes(), ", "), leftOut)
	}
	b, err := open(ctx, cfg)
	if err != nil {
		if !strings.HasPrefix(err.Error(), "txcache: ") { // not one of package config
			err = fmt.Errorf("txcache: class %q: %w", cfg.Class, cause.Of(err))
		}
		return nil, nil, err
	}
	if err := cfg.Unread(); err != nil {
		return nil, nil, errors.Join(err, b.Close())
	}
	return b, options(cfg), nil
}
