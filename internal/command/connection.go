package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"

	"github.com/seed-dad15c92/txcache"
	"github.com/seed-dad15c92/txcache/config"
	"github.com/seed-dad15c92/txcache/internal/inspect"
	"github.com/seed-dad15c92/txcache/internal/limits"
)

const module = "github.com/seed-dad15c92/txcache/"

// load reads the configuration file, once: it may be a pipe.
func (p *program) load() (*config.Config, error) {
	if p.cfg != nil {
		return p.cfg, nil
	}
	if p.dialect != "" || p.dsn != "" || p.table != "" {
		cfg, err := p.direct()
		if err == nil {
			p.config, p.cfg = "", cfg
		}
		return cfg, err
	}
	f, err := os.Open(p.config)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, usage("there is no configuration file %q; name it with --config", p.config)
	}
	if err != nil {
		return nil, usageError{err}
	}
	defer f.Close()
	cfg, err := config.Parse(io.TeeReader(f, &p.text), p.config)
	if err != nil {
		return nil, usageError{err}
	}
	if !isMemory(cfg) && !isSQL(cfg) && cfg.Class != config.ClassRedis && cfg.Class != module+"redisbackend" {
		return nil, usage("class %q is not built in: this command knows the classes %q, %q and %q only; "+
			"a backend of one's own needs a command of its own", cfg.Class, config.ClassMemory, config.ClassRedis, config.ClassSQL)
	}
	p.cfg = cfg
	return cfg, nil
}

func isMemory(cfg *config.Config) bool {
	return cfg.Class == config.ClassMemory || cfg.Class == module+"memorybackend"
}

var errMemory = errors.New("class memory keeps everything within each process, which cannot be seen or changed from outside; " +
	"the service itself can tell, with Store.Status, Store.Databases and Store.Stats, and clear and delete, with Store.Clear, Store.Delete and Store.ClearTags")

// connect opens the backend of class redis that the configuration describes, and returns the
// options for a store over it.
func (p *program) connect(ctx context.Context) (inspect.Inspector, *txcache.Options, error) {
	cfg, err := p.load()
	if err != nil {
		return nil, nil, err
	}
	switch {
	case isMemory(cfg):
		return nil, nil, errMemory
	case isSQL(cfg):
		return nil, nil, fmt.Errorf("there is no %s over class sql: %s", p.command, instead[p.command])
	}
	return p.open(ctx, cfg)
}

func (p *program) open(ctx context.Context, cfg *config.Config) (inspect.Inspector, *txcache.Options, error) {
	slog.SetDefault(p.logger()) // the backend takes it from there
	own := *cfg
	if own.Sync == config.SyncLease && own.Redis.Wait == 0 {
		own.Redis.Wait = limits.DefaultWait // for the servers
	}
	own.Sync = config.SyncBegin // the state is wanted as it is now
	b, opts, err := txcache.FromConfig(ctx, &own)
	if err != nil {
		return nil, nil, usageError{err}
	}
	redis, ok := inspect.Of(b)
	if !ok {
		return nil, nil, errors.Join(fmt.Errorf("class %q is not one of Redis", cfg.Class), b.Close())
	}
	opts.Logger = p.logger()
	return redis, opts, nil
}

// inspect calls f with the backend, which is closed then.
func (p *program) inspect(ctx context.Context, f func(inspect.Inspector) error) (err error) {
	b, _, err := p.connect(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	return f(b)
}

// backendError returns err, which the backend returned, so that the exit code says
// whether it is unavailable.
func backendError(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case inspect.Unavailable(err):
		return unavailableError{err}
	}
	return err
}
