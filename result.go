package txcache

// A result is what is known of one key.
type result[V any] struct {
	value V
	found found
	gone  int64 // when what has expired is of no use any more, as near.Now counts; 0: it says so itself
}

// found says what a look-up found.
type found uint8

const (
	unknown found = iota
	present
	absent  // it is known that the database has nothing there
	expired // the value is good only if there is no better one; see CacheOptions.StaleFor
)

// known reports whether the database need not be asked.
func (f found) known() bool { return f == present || f == absent }
