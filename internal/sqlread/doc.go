// Package sqlread reads statements of SQL as far as it must to tell which tables they
// change, in the dialects of PostgreSQL, MySQL, MariaDB and SQLite. It is for tests.
//
// It knows INSERT, UPDATE, DELETE, MERGE, REPLACE, TRUNCATE, COPY … FROM and LOAD DATA, also
// in WITH and after EXPLAIN ANALYZE, and the statements that begin and end transactions and
// savepoints. It does not see what triggers, cascades and functions change, nor what a view
// stands for.
package sqlread
