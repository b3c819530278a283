// Package sqlread reads statements of SQL as far as it must to tell which tables they
// change, and what they do to transactions and savepoints, in the dialects of PostgreSQL, MySQL, MariaDB and
// SQLite. Of SQL Server it knows the savepoints.
//
// It knows INSERT, UPDATE, DELETE, MERGE, REPLACE, TRUNCATE, COPY … FROM and LOAD DATA, also
// in WITH and after EXPLAIN ANALYZE, and the statements that begin and end transactions and
// savepoints. It does not see what triggers, cascades and functions change, nor what a view
// stands for.
package sqlread
