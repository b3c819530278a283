package transaction

// A Result is what is known of one key.
type Result[V any] struct {
	Value V
	Found Found
	Gone  int64 // when what has expired is of no use any more, as near.Now counts; 0: it says so itself
}

// Found says what a look-up found.
type Found uint8

// What may be found.
const (
	Unknown Found = iota
	Present
	Absent  // it is known that the database has nothing there
	Expired // the value is good only if there is no better one; see CacheOptions.StaleFor
)

// Known reports whether the database need not be asked.
func (f Found) Known() bool { return f == Present || f == Absent }
