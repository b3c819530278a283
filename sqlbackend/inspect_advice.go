package sqlbackend

import (
	"errors"
	"slices"
	"strings"
)

// An answer is one of a database that an operator can do something about.
type answer struct {
	states  []string // SQLSTATEs
	numbers []uint64 // of errors of MySQL and MariaDB
	text    string   // in an error of SQLite, which tells no more
	do      string
}

var answers = []answer{
	{states: []string{"28P01", "28000"}, numbers: []uint64{1045, 1698}, do: "The server knows no such user and password, or does not let the user in from here. See the DSN."},
	{states: []string{"3D000"}, numbers: []uint64{1049}, do: "The server has no database of that name. See the DSN."},
	{states: []string{"42501"}, numbers: []uint64{1044, 1142, 1143}, do: "The user lacks rights: it needs SELECT, INSERT, UPDATE and DELETE on the table. docs/sql.md has the statements."},
	{states: []string{"42P01"}, numbers: []uint64{1146}, text: "no such table", do: "See whether the DSN leads to the database of the service, and --table or cache.sql.table to its table."},
	{states: []string{"3F000"}, do: "The schema in the name of the table does not exist. See --table or cache.sql.table, or create it."},
	{states: []string{"42703"}, numbers: []uint64{1054}, text: "no such column", do: "The table is another one than that of clears. Name it with --table or cache.sql.table; docs/sql.md has the statements that create it."},
	{states: []string{"25006"}, numbers: []uint64{1290, 1792, 1836}, do: "The server is a replica, or takes no changes now. Name the primary in the DSN."},
	{states: []string{"53300"}, numbers: []uint64{1040, 1203}, do: "The server has as many connections as it takes."},
	{text: "unable to open database file", do: "The file that the DSN names cannot be opened. See its path, and the rights of its folder."},
	{text: "file is not a database", do: "The file that the DSN names is none of SQLite. See its path."},
	{text: "readonly database", do: "The file that the DSN names, or its folder, cannot be written by this user."},
	{text: "database is locked", do: "Another process was writing for longer than the DSN lets this one wait. Repeat the command, or set _pragma=busy_timeout(10000) in the DSN."},
}

// remedy returns what to do about an error, if it is an answer that is known.
func remedy(err error) string {
	if err == nil {
		return ""
	}
	state, n, text := sqlState(err), number(err), err.Error()
	if missing := (*noTable)(nil); errors.As(err, &missing) {
		text = missing.error.Error()
	}
	for _, a := range answers {
		switch {
		case state != "":
			if slices.Contains(a.states, state) {
				return a.do
			}
		case n != 0:
			if slices.Contains(a.numbers, n) {
				return a.do
			}
		case a.text != "" && strings.Contains(text, a.text):
			return a.do
		}
	}
	return ""
}
