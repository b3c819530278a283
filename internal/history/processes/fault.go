package processes

import (
	"context"
	"time"

	"github.com/seed-dad15c92/txcache/internal/history"
	"github.com/seed-dad15c92/txcache/internal/redistest"
)

// redisFaults are what operators, crashes and evictions do to a server of
// processes whose fences have that lease.
func redisFaults(server *redistest.Server, lease time.Duration) []history.Fault {
	client := server.Client()
	do := func(args ...any) func(context.Context) {
		return func(ctx context.Context) { client.Do(ctx, args...) }
	}
	// each runs command on every key that matches.
	each := func(pattern string, command ...any) func(context.Context) {
		return func(ctx context.Context) {
			for _, key := range client.Keys(ctx, pattern).Val() {
				client.Do(ctx, append([]any{command[0], key}, command[1:]...)...)
			}
		}
	}
	pause := func(d time.Duration) func(context.Context) {
		return func(context.Context) {
			server.Pause()
			time.Sleep(d)
			server.Resume()
		}
	}
	snapshot := server.Snapshot()
	return []history.Fault{
		{Name: "everything is flushed", Befall: do("flushall"), Unfences: true},
		{Name: "the metadata is evicted", Befall: each("*:@", "unlink"), Unfences: true},
		{Name: "fences are deleted", Befall: each("*:@", "hdel", "f"), Unfences: true},
		{Name: "epochs are deleted", Befall: each("*:@", "hdel", "e")},
		{Name: "registrations are deleted", Befall: each("*:@", "hdel", "m")},
		{Name: "logs of changes are deleted", Befall: each("*:@", "hdel", "s")},
		{Name: "values are deleted", Befall: each("*@*:*:*", "del")},
		{Name: "values are garbled", Befall: each("*@*:*:*", "setrange", "2", "\xff\xff\xff\xff")},
		{Name: "scripts are forgotten", Befall: do("script", "flush")},
		{Name: "connections are killed", Befall: do("client", "kill", "type", "normal")},
		{Name: "the server is stopped for a while", Befall: pause(lease / 3)},
		{Name: "the server is stopped beyond the lease", Befall: pause(lease * 5 / 4), Unfences: true},
		{Name: "the server is restarted empty", Befall: func(context.Context) { server.Restore(nil) }, Unfences: true},
		{Name: "the server is restarted from an old snapshot", Befall: func(context.Context) { server.Restore(snapshot) }, Unfences: true},
	}
}

// Terminate ends some connections to the database of the run.
func (c *Crew) Terminate(ctx context.Context, n int) error {
	_, err := c.admin.Exec(ctx, `
		SELECT pg_terminate_backend(pid) FROM (
			SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() ORDER BY random() LIMIT $1
		) AS unlucky`, n)
	return err
}
