// Txcache is the command for those who operate services that use txcache: it
// checks a configuration, shows what Redis keeps, clears and drops, watches
// commits go by, and measures. It reads the configuration file of the service.
//
//	txcache --config cache.toml check
//	txcache --config cache.toml caches shop
//	txcache --config cache.toml clear shop users roles
//
// docs/cli.md shows every command with its output. This main package knows the
// built-in classes only: a backend of one's own is not linked into it.
package main

import "github.com/seed-dad15c92/txcache/internal/command"

func main() { command.Main("txcache") }
