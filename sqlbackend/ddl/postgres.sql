-- The clears of txcache, for PostgreSQL. The user of the service needs
--   GRANT SELECT, INSERT, UPDATE, DELETE ON txcache_clear TO …;
-- and nothing for the identity. There must be no row-level security on the table.
CREATE TABLE IF NOT EXISTS txcache_clear (
  database text   NOT NULL,
  id       bigint GENERATED ALWAYS AS IDENTITY,
  token    bigint NOT NULL,
  n        bigint NOT NULL,
  clears   text   NOT NULL,
  PRIMARY KEY (database, id)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);
