// Package histories proves sqlbackend by random histories over real SQL databases:
// PostgreSQL, with a hot standby, MariaDB and SQLite. Readers and writers of several stores run
// at once over one database, and each hit is compared with what the same transaction reads by
// SQL. It is a module of its own so that users of the library do not get the drivers.
package histories
