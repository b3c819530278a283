// Package postgrestest runs a PostgreSQL server for tests: a process of its own
// on a free loopback port, with its files in a temporary folder.
//
// Where PostgreSQL is not installed the tests that need it are skipped, or fail
// if the environment has TXCACHE_REQUIRE_POSTGRES=1. PostgreSQL refuses to run
// as root; a test that does so runs it as the user postgres.
package postgrestest
