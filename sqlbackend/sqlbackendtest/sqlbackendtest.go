// Package sqlbackendtest proves sqlbackend over real SQL databases: PostgreSQL,
// MariaDB and SQLite. It is a module of its own so that users of the library do not get
// the drivers.
package sqlbackendtest
