package config

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"slices"

	"github.com/seed-dad15c92/txcache/internal/limits"
)

// SQL is the configuration of class "sql", the table [cache.sql]: where the generations
// are kept. Printing it hides the DSN.
type SQL struct {
	// Dialect is that of the database: "postgres", "mysql", which is MariaDB's too, or
	// "sqlite". Class "sql" needs it.
	Dialect string `toml:"dialect,omitempty"`

	// DSN is the address of the database, as the driver takes it. Class "sql" needs it. In the name of
	// the database {database} stands for the name of a tenant, where each has an SQL database of its own.
	DSN string `toml:"dsn,omitempty"`

	// Driver is the name under which the driver is registered with database/sql; the
	// program imports it. Default "pgx", "mysql" or "sqlite", by the dialect.
	Driver string `toml:"driver,omitempty"`

	// Table is the name of the table of clears, which may have that of a schema in front. Default
	// "txcache_clear".
	Table string `toml:"table,omitempty"`

	// Values says where values are kept: "memory", in the process, which is the default, or
	// "redis": encoded values are also kept there, as [Redis] says, for all servers.
	Values string `toml:"values,omitempty"`
}

// dialects are what [SQL.Dialect] may be.
var dialects = []string{"postgres", "mysql", "sqlite"}

// problems calls report for the keys that are wrong, and returns those that the class needs
// and that are missing.
func (s *SQL) problems(class string, report func(key, found, text string)) (ps problems) {
	if class == ClassSQL || class == modulePath+"sqlbackend" {
		for _, needed := range [][2]string{{"cache.sql.dialect", s.Dialect}, {"cache.sql.dsn", s.DSN}} {
			if key, value := needed[0], needed[1]; value == "" {
				ps = append(ps, problem{keys: []string{"cache.class"}, found: quote(class), text: "needs " + key + ", which is missing; expected " + expected[key]})
			}
		}
	}
	if s.Dialect != "" && !slices.Contains(dialects, s.Dialect) {
		report("cache.sql.dialect", quote(s.Dialect), "is unknown")
	}
	if s.Table != "" {
		if err := limits.Table(s.Table); err != nil {
			report("cache.sql.table", quote(s.Table), err.Error())
		}
	}
	if s.Values != "" && s.Values != ClassMemory && s.Values != ClassRedis {
		report("cache.sql.values", quote(s.Values), "is unknown")
	}
	return ps
}

// safe returns s as a file may show it.
func (s SQL) safe() SQL {
	if s.DSN != "" {
		s.DSN = hidden
	}
	for _, p := range []*string{&s.Dialect, &s.Driver, &s.Table, &s.Values} {
		*p = literal(*p)
	}
	return s
}

// String returns the configuration as the table [cache.sql], the DSN hidden.
func (s SQL) String() string {
	return encode(map[string]any{"cache": map[string]any{"sql": s.safe()}})
}

// GoString returns String, for %#v.
func (s SQL) GoString() string { return s.String() }

// Format writes String, whatever the verb.
func (s SQL) Format(f fmt.State, _ rune) { io.WriteString(f, s.String()) }

// LogValue returns String, for package slog.
func (s SQL) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalJSON returns String as a JSON string.
func (s SQL) MarshalJSON() ([]byte, error) { return json.Marshal(s.String()) }
