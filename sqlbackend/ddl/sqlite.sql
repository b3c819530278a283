-- The clears of txcache, for SQLite.
CREATE TABLE IF NOT EXISTS txcache_clear (
  id       INTEGER PRIMARY KEY,
  database TEXT    NOT NULL,
  token    INTEGER NOT NULL,
  n        INTEGER NOT NULL,
  clears   TEXT    NOT NULL
);
CREATE INDEX IF NOT EXISTS txcache_clear_database ON txcache_clear (database);
