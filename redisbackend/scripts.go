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
	//go:embed scripts/ack.lua
	ackLua string
	//go:embed scripts/database.lua
	databaseLua string
	//go:embed scripts/drop.lua
	dropLua string
	//go:embed scripts/mark.lua
	markLua string
	//go:embed scripts/probe.lua
	probeLua string
	//go:embed scripts/swap.lua
	swapLua string

	ackScript      = newScript(ackLua)
	databaseScript = newScript(databaseLua)
	dropScript     = newScript(dropLua)
	markScript     = newScript(markLua)
	probeScript    = newScript(probeLua)
	swapScript     = newScript(swapLua)
)

// An operation is one of those of scripts/database.lua.
type operation string

const (
	opSync    operation = "sync"
	opWait    operation = "wait"
	opFence   operation = "fence"
	opClear   operation = "clear"
	opUnfence operation = "unfence"
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
