package command

import (
	"context"
	"errors"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/seed-dad15c92/txcache/config"
	"github.com/seed-dad15c92/txcache/internal/inspect"
)

// remedies are what to do about answers of a server, by how they begin.
var remedies = []struct{ answer, do string }{
	{"ERR DB index is out of range", "The server has no database of that number: it has as many as its setting databases says, by default 0 to 15. Change the number at the end of cache.redis.uri."},
	{"ERR invalid DB index", "The number at the end of cache.redis.uri is not one of a database of this server."},
	{"ERR SELECT is not allowed in cluster mode", "The server is a node of a cluster, which has but database 0. Use the scheme redis+cluster in cache.redis.uri."},
	{"MOVED", "The server is a node of a cluster. Use the scheme redis+cluster in cache.redis.uri."},
	{"ERR This instance has cluster support disabled", "The server is no node of a cluster. Use the scheme redis in cache.redis.uri."},
	{"NOAUTH", "The server asks for a password. Set cache.redis.password, or put it into cache.redis.uri."},
	{"WRONGPASS", "The server knows no such user and password. See cache.redis.username and cache.redis.password, or cache.redis.uri."},
	{"ERR invalid password", "The server has another password. See cache.redis.password, or cache.redis.uri."},
	{"ERR AUTH", "The server has no password, and takes none. Remove it from the configuration, or set one on the server."},
	{"ERR Client sent AUTH, but no password is set", "The server has no password, and takes none. Remove it from the configuration, or set one on the server."},
	{"NOPERM", "The user lacks rights; docs/redis.md has the list."},
	{"ERR The user executing the script", "The user lacks rights; docs/redis.md has the list."},
	{"ERR ACL failure in script", "The user lacks rights; docs/redis.md has the list."},
	{"OOM", "The memory of the server is full, and its maxmemory-policy makes no room. See docs/redis.md."},
	{"READONLY", "The server is a replica, which takes no clear. Name the master in cache.redis.uri, or use the scheme redis+sentinel."},
	{"MISCONF", "The server cannot save its data to disk and takes no writes. txcache needs no persistence: see docs/redis.md."},
	{"ERR max number of clients", "The server has as many clients as it takes. See its setting maxclients."},
	{"ERR unknown command", "The server lacks a command. See docs/redis.md on what is fit."},
}

// remedy returns what to do about err, if it is an answer that is known here.
func remedy(err error) string {
	var answer redis.Error
	if !errors.As(err, &answer) {
		return inspect.SQLRemedy(err)
	}
	for _, r := range remedies {
		if strings.HasPrefix(answer.Error(), r.answer) {
			return r.do
		}
	}
	return ""
}

// refusal says what to do about steps that a server refused.
func refusal(steps []inspect.Step) string {
	lines := []string{"the server refuses what a service needs"}
	for _, s := range steps {
		do := remedy(s.Err)
		if do == "" {
			do = "See the problems above; docs/redis.md says what a server needs."
		}
		if lines[len(lines)-1] != do {
			lines = append(lines, do)
		}
	}
	return strings.Join(lines, "\n")
}

// remarks returns what could be better about a server that does all it must. onlyValues says that
// nothing else is kept there.
func remarks(c *inspect.Checkup, onlyValues bool) []string {
	list := []string{}
	switch {
	case c.Policy == "noeviction" && c.MaxMemory == 0:
		list = append(list, "the server has no maxmemory and the policy noeviction, so values take what memory there is; set maxmemory, and maxmemory-policy to volatile-lru (docs/redis.md)")
	case c.Policy == "noeviction":
		list = append(list, "the server has the maxmemory-policy noeviction, so when it is full it takes no new values; volatile-lru lets the old ones go (docs/redis.md)")
	case strings.HasPrefix(c.Policy, "allkeys-") && !onlyValues:
		list = append(list, "the server has the maxmemory-policy "+c.Policy+", which may evict the generations of a database and so cost it all its values; volatile-lru keeps them (docs/redis.md)")
	}
	return list
}

// openness tells of a server that lets in who has no password, although the
// configuration has one: it protects nothing.
func (p *program) openness(ctx context.Context, cfg *config.Config) []string {
	anonymous, ok := withoutCredentials(cfg)
	if !ok {
		return nil
	}
	b, _, err := p.open(ctx, anonymous)
	if err != nil {
		return nil
	}
	defer b.Close()
	if b.Ping(ctx) != nil {
		return nil // it asks for one, as it should
	}
	return []string{"the server asks for no password, although the configuration has one: whoever reaches it may read and clear; set requirepass, or turn the user default off"}
}

// withoutCredentials returns cfg without user and password, and whether it has any.
func withoutCredentials(cfg *config.Config) (*config.Config, bool) {
	without := *cfg
	without.Class = config.ClassRedis
	without.Redis.Username, without.Redis.Password = "", ""
	scheme, rest, _ := strings.Cut(cfg.Redis.URI, "://")
	end := len(rest)
	if n := strings.IndexAny(rest, "/?"); n >= 0 {
		end = n
	}
	at := strings.LastIndexByte(rest[:end], '@')
	without.Redis.URI = scheme + "://" + rest[at+1:]
	return &without, at >= 0 || cfg.Redis.Username+cfg.Redis.Password != ""
}
