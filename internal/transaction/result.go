package transaction

import "time"

// A Result is what is known of one key.
type Result[V any] struct {
	Value V
	Found Found
	Life  time.Duration // how long it lives, if its loader says so; see Cache.SetFor
	Gone  int64         // when an expired value is of no use any more, as near.Now counts; 0: its payload says so
}

// A Found is what a look-up found.
type Found uint8

// What a look-up may find.
const (
	Unknown Found = iota
	Present
	Absent  // the database is known to have nothing there
	Expired // the value may be used only if the loader fails; see CacheOptions.StaleFor
)

// Known reports whether the caller need not ask the database.
func (f Found) Known() bool { return f == Present || f == Absent }
