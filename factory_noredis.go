//go:build txcache_noredis

package txcache

// Without the client of Redis a program is several megabytes smaller.
const leftOut = `; this program was built without class "redis", with the tag txcache_noredis`
