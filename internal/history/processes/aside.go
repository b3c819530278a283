package processes

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/redis/go-redis/v9"

	"github.com/seed-dad15c92/txcache/internal/history"
)

// openAside opens the cache that many services have: a hash in Redis for each
// cache and database, into which is set what was missed, and which is deleted
// after the commit. It is that at its best: what a read-write transaction sets is
// its own, and keys are apart.
func openAside(_ context.Context, p Plan, _ *Board) (*opened, error) {
	options, err := redis.ParseURL(p.Redis)
	if err != nil {
		return nil, err
	}
	return &opened{server: &aside{redis.NewClient(options), p.Prefix}, waiting: func() int { return 0 }}, nil
}

type aside struct {
	client *redis.Client
	prefix string
}

func (s *aside) Begin(_ context.Context, database string, readOnly bool) (history.Tx, error) {
	return asideTx{&asideShared{server: s, database: database, readOnly: readOnly, cleared: map[int]bool{}}, ""}, nil
}

func (s *aside) Drop(ctx context.Context, database string) error {
	for i := range world.Caches {
		if err := s.client.Del(ctx, s.hash(database, i)).Err(); err != nil {
			return err
		}
	}
	return nil
}

func (s *aside) Close() error { return s.client.Close() }

func (s *aside) hash(database string, cache int) string {
	return fmt.Sprintf("%s %q %d", s.prefix, database, cache)
}

// asideShared is what the handles on a transaction share.
type asideShared struct {
	server   *aside
	database string
	readOnly bool
	ended    bool
	cleared  map[int]bool
}

type asideTx struct {
	*asideShared
	user string
}

func (t asideTx) As(w history.Who) history.Tx {
	return asideTx{t.asideShared, fmt.Sprintf("%T %v %s", w.User, w.User, w.Lang)}
}

func (t asideTx) field(cache int, key string) string {
	if world.Caches[cache].ContextFree {
		return key
	}
	return fmt.Sprintf("%q %s", key, t.user)
}

func (t asideTx) Get(ctx context.Context, cache int, key string) (v history.Value, ok bool) {
	if t.ended || t.cleared[cache] {
		return v, false
	}
	text, err := t.server.client.HGet(ctx, t.server.hash(t.database, cache), t.field(cache, key)).Bytes()
	return v, err == nil && json.Unmarshal(text, &v) == nil
}

func (t asideTx) GetMany(ctx context.Context, cache int, keys []string) map[string]history.Value {
	found := map[string]history.Value{}
	for _, key := range keys {
		if v, ok := t.Get(ctx, cache, key); ok {
			found[key] = v
		}
	}
	return found
}

func (t asideTx) Load(ctx context.Context, cache int, key string, load func(context.Context) (history.Value, error)) (history.Value, error) {
	if v, ok := t.Get(ctx, cache, key); ok {
		return v, nil
	}
	v, err := load(ctx)
	if err == nil {
		t.Set(cache, key, v)
	}
	return v, err
}

func (t asideTx) LoadMany(ctx context.Context, cache int, keys []string, load func(context.Context, []string) (map[string]history.Value, error)) (map[string]history.Value, error) {
	found := t.GetMany(ctx, cache, keys)
	var missing []string
	for _, key := range keys {
		if _, ok := found[key]; !ok && !slices.Contains(missing, key) {
			missing = append(missing, key)
		}
	}
	if len(missing) == 0 {
		return found, nil
	}
	loaded, err := load(ctx, missing)
	if err != nil {
		return nil, err
	}
	for key, v := range loaded {
		found[key] = v
		t.Set(cache, key, v)
	}
	return found, nil
}

func (t asideTx) Set(cache int, key string, v history.Value) {
	if text, err := json.Marshal(v); err == nil && t.readOnly {
		t.server.client.HSet(context.Background(), t.server.hash(t.database, cache), t.field(cache, key), text)
	}
}

func (t asideTx) SetAbsent(int, string) {}

func (t asideTx) Clear(cache int) error {
	t.cleared[cache] = true
	return nil
}

func (t asideTx) ClearAll() error {
	for i := range world.Caches {
		t.cleared[i] = true
	}
	return nil
}

// Delete deletes by the hash, as it does not know all users of a key.
func (t asideTx) Delete(cache int, _ ...string) error { return t.Clear(cache) }

func (t asideTx) ClearTags(...string) error { return t.ClearAll() }

func (t asideTx) Savepoint(fn func(history.Tx) error) error { return fn(t) }

func (t asideTx) CommitWith(ctx context.Context, commit func(context.Context) error) error {
	t.ended = true
	err := commit(ctx)
	for cache := range t.cleared {
		t.server.client.Del(ctx, t.server.hash(t.database, cache))
	}
	return err
}

func (t asideTx) Rollback() error {
	t.ended = true
	return nil
}
