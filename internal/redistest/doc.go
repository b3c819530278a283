// Package redistest runs Redis servers for tests: processes of redis-server on
// free loopback ports, that can be killed, paused and restarted.
//
// Where redis-server is not on the PATH the tests that need it are skipped, or
// fail if the environment has TXCACHE_REQUIRE_REDIS=1. So are those that set the clock of a
// server, where there is no gcc.
package redistest
