package redisbackend

import (
	"context"
	"crypto/sha1"
	_ "embed"
	"encoding/hex"

	"github.com/redis/go-redis/v9"
)

// A script is a Lua program that runs atomically on one key, mostly the hash of a
// database. Every one may be delivered twice.
type script struct{ source, sha string }

func newScript(source string) script {
	sum := sha1.Sum([]byte(source))
	return script{source, hex.EncodeToString(sum[:])}
}

var (
	//go:embed scripts/open.lua
	openLua string
	//go:embed scripts/close.lua
	closeLua string
	//go:embed scripts/fence.lua
	fenceLua string
	//go:embed scripts/clear.lua
	clearLua string
	//go:embed scripts/unfence.lua
	unfenceLua string
	//go:embed scripts/drop.lua
	dropLua string
	//go:embed scripts/probe.lua
	probeLua string
	//go:embed scripts/swap.lua
	swapLua string

	syncScript    = newScript(openLua + closeLua)
	fenceScript   = newScript(openLua + fenceLua + closeLua)
	clearScript   = newScript(openLua + clearLua + closeLua)
	unfenceScript = newScript(openLua + unfenceLua + closeLua)
	dropScript    = newScript(dropLua)
	probeScript   = newScript(probeLua)
	swapScript    = newScript(swapLua)
)

// command returns the call of s on key.
func (s *script) command(key string, args ...any) *redis.Cmd {
	return s.call("eval", s.source, key, args)
}

// cached is command by the digest, for a server that has seen the script.
func (s *script) cached(key string, args ...any) *redis.Cmd {
	return s.call("evalsha", s.sha, key, args)
}

func (s *script) call(name, which, key string, args []any) *redis.Cmd {
	all := append(make([]any, 0, 4+len(args)), name, which, 1, key)
	cmd := redis.NewCmd(context.Background(), append(all, args...)...)
	cmd.SetFirstKeyPos(3)
	return cmd
}
