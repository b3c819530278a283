-- The clears of txcache, for MySQL and MariaDB. The user of the service needs
--   GRANT SELECT, INSERT, UPDATE, DELETE ON txcache_clear TO …;
CREATE TABLE IF NOT EXISTS txcache_clear (
  `database` varchar(190) COLLATE utf8mb4_bin NOT NULL,
  id         bigint NOT NULL AUTO_INCREMENT,
  token      bigint NOT NULL,
  n          bigint NOT NULL,
  clears     mediumtext COLLATE utf8mb4_bin NOT NULL,
  PRIMARY KEY (`database`, id),
  KEY (id)
) ENGINE = InnoDB DEFAULT CHARSET = utf8mb4;
