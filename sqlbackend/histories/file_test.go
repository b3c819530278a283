package histories_test

import (
	"errors"
	"io/fs"
	"os"
	"testing"
)

// vacuumInto copies a database of SQLite into another file.
func vacuumInto(t *testing.T, e *engine, file string) {
	t.Helper()
	db, err := e.connect()
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(t.Context(), "VACUUM INTO '"+file+"'"); err != nil {
		t.Fatal(err)
	}
}

// putBack puts a copy in the place of a database of SQLite, which nobody has open.
func putBack(t *testing.T, from, to string) {
	t.Helper()
	for _, of := range []string{"", "-wal", "-shm"} { // in this order: what is still open stays the old file
		if err := os.Remove(to + of); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
	content, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, content, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}
