// Txcache-sql is the command txcache with drivers of SQL databases: of PostgreSQL, of
// MySQL and MariaDB, and of SQLite. So it is for services of class sql, and knows
// the other classes as well. It is a module of its own so that users of
// the library do not get the drivers.
//
//	txcache-sql --config cache.toml check
//	TXCACHE_DSN=postgres://… txcache-sql --dialect postgres databases
//
// docs/cli.md shows every command with its output.
package main

import (
	"io"
	"log"

	"github.com/go-sql-driver/mysql"
	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"github.com/seed-dad15c92/txcache/internal/command"
)

func main() { command.Main("txcache-sql") }

// The driver would write a line for each connection that fails; what matters of
// that is in the errors.
func init() { _ = mysql.SetLogger(log.New(io.Discard, "", 0)) }
