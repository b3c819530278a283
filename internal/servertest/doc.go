// Package servertest runs the server of a database as a process of its own, for the
// packages that know which server: a folder for its files, a port that is free, an
// account that may run it, and its end with the test.
package servertest
