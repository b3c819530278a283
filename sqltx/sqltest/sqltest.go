// Package sqltest proves sqltx over a real SQL database, SQLite. It is a module
// of its own so that users of the library do not get the driver.
package sqltest
