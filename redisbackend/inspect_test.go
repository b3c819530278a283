package redisbackend_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed-dad15c92/txcache/backend"
	"github.com/seed-dad15c92/txcache/config"
	"github.com/seed-dad15c92/txcache/internal/inspect"
	"github.com/seed-dad15c92/txcache/internal/redistest"
	"github.com/seed-dad15c92/txcache/redisbackend"
)

// inspectorOf returns what the command sees of b.
func inspectorOf(b *redisbackend.Backend) inspect.Inspector {
	i, _ := inspect.Of(b)
	return i
}

// inspected runs a test over one server and over a cluster.
func inspected(t *testing.T, test func(t *testing.T, cfg *config.Config)) {
	t.Run("Server", func(t *testing.T) { test(t, settings(redistest.Start(t).URI())) })
	t.Run("Cluster", func(t *testing.T) {
		if testing.Short() {
			t.Skip("a cluster takes seconds to start; without -short it runs")
		}
		test(t, settings(redistest.StartCluster(t).URI()))
	})
}

func TestDatabasesAreFoundWhateverTheirNames(t *testing.T) {
	t.Parallel()
	inspected(t, func(t *testing.T, cfg *config.Config) {
		b := open(t, cfg)
		names := []string{"shop", "a:b:c", "*", "@", "sweep", ":@", "é{x}", strings.Repeat("long", 100), "100%"}
		for i, name := range names {
			s := mustSync(t, b, name)
			fill(t, b, name, "users", s.Base, i)
		}
		// Of one database only values are left.
		fill(t, b, "lost", "users", backend.NewToken(), 7)
		neighbour := *cfg
		neighbour.Prefix += "-not"
		mustSync(t, open(t, &neighbour), "theirs")

		found, err := inspectorOf(b).Databases(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		want := map[string]int{"lost": 7}
		for i, name := range names {
			want[name] = i
		}
		for _, d := range found {
			values, ok := want[d.Name]
			if !ok || d.Values != values || d.Kept != (d.Name != "lost") {
				t.Errorf("found %q with %d values, kept %t; expected %d, %t", d.Name, d.Values, d.Kept, values, ok)
			}
			if d.Kept && (d.State.Epoch == "" || d.State.Version == 0) {
				t.Errorf("%q is at epoch %q, version %d", d.Name, d.State.Epoch, d.State.Version)
			}
			delete(want, d.Name)
		}
		if len(want) > 0 {
			t.Errorf("not found: %v", want)
		}
		if !slices.IsSortedFunc(found, func(a, b inspect.Database) int { return strings.Compare(a.Name, b.Name) }) {
			t.Error("they are not sorted by name")
		}
	})
}

func TestInspectionShowsFencesAndChangesNothing(t *testing.T) {
	b := open(t, settings(redistest.Start(t).URI()))
	before := mustSync(t, b, "shop")
	f := fencing(before, "a b", "users")
	f.Lease = 50 * time.Millisecond
	if err := b.Fence(t.Context(), "shop", f); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time it has expired
		d, err := inspectorOf(b).Database(t.Context(), "shop")
		if err != nil {
			t.Fatal(err)
		}
		if len(d.Fences) != 1 || d.Fences[0].ID != f.ID || d.Fences[0].TTL != f.Lease || !slices.Equal(d.Fences[0].Caches, []string{"a b", "users"}) {
			t.Fatalf("fences are %+v", d.Fences)
		}
		if !d.State.IsFenced("a b") || d.State.IsFenced("roles") || d.State.Epoch != before.Epoch || d.State.Base != before.Base {
			t.Fatalf("the state is %+v", d.State)
		}
		time.Sleep(time.Until(d.Fences[0].Deadline) + 10*time.Millisecond)
	}
	if s := mustSync(t, b, "shop"); s.Token("users") == before.Token("users") || s.IsFenced("users") {
		t.Error("the fence was not turned into a clear afterwards")
	}
}

func TestHashThatNobodyShouldHaveWritten(t *testing.T) {
	server := redistest.Start(t)
	cfg := settings(server.URI())
	b := open(t, cfg)
	server.Do("HSET", cfg.Prefix+":damaged:@", "e", "e1 5")
	server.Do("SET", cfg.Prefix+":string:@", "x")
	server.Do("SET", cfg.Prefix+":%zz:@", "not a name")
	found, err := inspectorOf(b).Databases(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(found) != 2 || found[0].Kept || found[1].Kept {
		t.Errorf("found %+v; expected two that are not kept", found)
	}
	if s := mustSync(t, b, "damaged"); s.Epoch == "e1" {
		t.Error("it was used all the same")
	}
}

func TestCensus(t *testing.T) {
	t.Parallel()
	inspected(t, func(t *testing.T, cfg *config.Config) {
		b := open(t, cfg)
		first := mustSync(t, b, "shop")
		fill(t, b, "shop", "users", first.Token("users"), 300)
		fill(t, b, "shop", "roles", first.Token("roles"), 20)
		fill(t, b, "shopping", "users", first.Base, 500)
		now := mustClear(t, b, "shop", "users")
		fill(t, b, "shop", "users", now.Token("users"), 40)

		census, err := inspectorOf(b).Caches(t.Context(), "shop", 0)
		if err != nil {
			t.Fatal(err)
		}
		if census.Sampled || len(census.Caches) != 2 {
			t.Fatalf("census is %+v", census)
		}
		roles, users := census.Caches[0], census.Caches[1]
		if roles.Name != "roles" || roles.Live.Values != 20 || roles.Dead.Values != 0 || roles.Dead.Bytes != 0 || roles.Token != first.Base {
			t.Errorf("roles: %+v", roles)
		}
		if users.Name != "users" || users.Live.Values != 40 || users.Dead.Values != 300 || users.Token != now.Token("users") {
			t.Errorf("users: %+v", users)
		}
		if each := users.Dead.Bytes / 300; each < 50 || each > 500 {
			t.Errorf("a value is said to take %d bytes", each)
		}

		// Sampled, the numbers are about right, and the cost is bounded.
		census, err = inspectorOf(b).Caches(t.Context(), "shop", 100)
		if err != nil {
			t.Fatal(err)
		}
		if !census.Sampled || census.Looked < 100 || census.Looked >= census.Size {
			t.Fatalf("looked at %d of %d keys, sampled %t", census.Looked, census.Size, census.Sampled)
		}
		for _, c := range census.Caches {
			if c.Name == "users" && (c.Dead.Values < 150 || c.Dead.Values > 600) {
				t.Errorf("about %d dead values; there are 300", c.Dead.Values)
			}
		}
	})
}

func TestFind(t *testing.T) {
	t.Parallel()
	inspected(t, func(t *testing.T, cfg *config.Config) {
		b := open(t, cfg)
		token, old := backend.NewToken(), backend.NewToken()
		long := strings.Repeat("long", 50)
		value := func(schema, key string, token backend.Token, ttl time.Duration) backend.Value {
			return backend.Value{
				Key:  backend.Key{Database: "shop", Cache: "users:@", Schema: schema, Token: token, Key: key},
				Data: []byte(schema + key), TTL: ttl,
			}
		}
		values := []backend.Value{
			value("a", "k*", token, time.Hour), value("b", "k*", token, 0), value("a", "kx", token, 0),
			value("a", "k*", old, 0), value("a", long, token, 0),
		}
		if err := b.Set(t.Context(), values); err != nil {
			t.Fatal(err)
		}
		find := func(key string, limit int) ([]inspect.Found, int) {
			t.Helper()
			found, matched, err := inspectorOf(b).Find(t.Context(), "shop", "users:@", token, limit, func(e *inspect.Entry) bool { return e.Is(key) })
			if err != nil {
				t.Fatal(err)
			}
			return found, matched
		}
		found, matched := find("k*", 10)
		if len(found) != 2 || matched != 2 || string(found[0].Data) != "ak*" || string(found[1].Data) != "bk*" {
			t.Fatalf("found %+v", found)
		}
		if ttl := found[0].TTL; ttl > time.Hour || ttl < 50*time.Minute {
			t.Errorf("it is kept for %v; expected an hour", ttl)
		}
		if found, matched := find("k*", 1); len(found) != 1 || matched != 2 {
			t.Errorf("limited to one, found %d of %d", len(found), matched)
		}
		if found, _ := find(long, 10); len(found) != 1 || found[0].Digest == "" || string(found[0].Data) != "a"+long {
			t.Errorf("a long key: found %+v", found)
		}
		if found, _ := find("none", 10); len(found) != 0 {
			t.Errorf("found %+v under a key that there is not", found)
		}
	})
}

func TestCheckup(t *testing.T) {
	t.Parallel()
	inspected(t, func(t *testing.T, cfg *config.Config) {
		b := open(t, cfg)
		c, err := inspectorOf(b).Check(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if refused := c.Refused(); len(refused) > 0 {
			t.Errorf("refused: %+v", refused)
		}
		if !strings.HasPrefix(c.Server, "Redis ") && !strings.HasPrefix(c.Server, "Valkey ") || c.Role != "master" || c.Ping <= 0 || c.Policy == "" {
			t.Errorf("the server is %+v", c)
		}
		if found, err := inspectorOf(b).Databases(t.Context()); err != nil || len(found) > 0 {
			t.Errorf("it left %+v behind, error %v", found, err)
		}
	})
}

func TestCheckupFindsWhatIsRefused(t *testing.T) {
	server := redistest.Start(t)
	cfg := settings(server.URI())
	for _, c := range []struct{ rights, step string }{
		{"-publish", "announce a change"}, {"-mget", "read values"}, {"-scan", "remove values"},
		{"-subscribe", "announce a change"}, {"-set", "keep values"}, {"-del", "drop a database"},
	} {
		server.Do("ACL", "SETUSER", "limited", "reset", "on", ">secret", "~*", "&*", "+@all", c.rights)
		limited := *cfg
		limited.Redis.Username, limited.Redis.Password = "limited", "secret"
		checkup, err := inspectorOf(open(t, &limited)).Check(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(checkup.Refused(), func(s inspect.Step) bool { return s.Name == c.step }) {
			t.Errorf("with %s, %q was not refused: %+v", c.rights, c.step, checkup.Steps)
		}
	}
	// The channel of members is tried where there may be members.
	server.Do("ACL", "SETUSER", "limited", "reset", "on", ">secret", "~*", "&"+cfg.Prefix+":@changes", "+@all")
	for _, wait := range []time.Duration{0, 2 * time.Millisecond} {
		limited := *cfg
		limited.Redis.Username, limited.Redis.Password, limited.Redis.Wait = "limited", "secret", wait
		checkup, err := inspectorOf(open(t, &limited)).Check(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		refused := checkup.Refused()
		if tried := wait > 0; tried != (len(refused) == 1 && refused[0].Name == "tell members of a fence") || !tried && len(refused) > 0 {
			t.Errorf("with the wait %v, and without the channel of members, refused: %+v", wait, refused)
		}
	}
	// The least rights of docs/redis.md are enough, but for what is optional.
	restrict(server, cfg.Prefix)
	limited := *cfg
	limited.Redis.Username, limited.Redis.Password = "app", "secret"
	checkup, err := inspectorOf(open(t, &limited)).Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if refused := checkup.Refused(); len(refused) > 0 {
		t.Errorf("refused: %+v", refused)
	}
}

func TestCheckupOfWhatCannotServe(t *testing.T) {
	s := redistest.Start(t)
	replica := redistest.Start(t)
	host, port, _ := strings.Cut(s.Addr, ":")
	replica.Do("REPLICAOF", host, port)
	checkup, err := inspectorOf(open(t, settings(replica.URI()))).Check(t.Context())
	if err == nil || !inspect.Unavailable(err) || checkup.Role != "slave" {
		t.Errorf("a replica: %+v, error %v", checkup, err)
	}
	s.Kill()
	if _, err := inspectorOf(open(t, settings(s.URI()))).Check(t.Context()); !inspect.Unavailable(err) {
		t.Errorf("a server that is down: error %v", err)
	}
}
