// Package mariadbtest runs a MariaDB server for tests: a process of its own on a
// free loopback port, with its files in a temporary folder.
//
// Where MariaDB is not installed the tests that need it are skipped, or fail if the
// environment has TXCACHE_REQUIRE_MARIADB=1. A test that runs as root runs the server as
// the user mysql.
package mariadbtest
