package codec

// SetMaxSize sets the limit of an encoded value and returns what it was.
func SetMaxSize(n int) (old int) {
	old, maxSize = maxSize, n
	return old
}

// Remembered returns how many locations are remembered.
func Remembered() int {
	n := 0
	if all := locations.all.Load(); all != nil {
		n += len(*all)
	}
	if all := zones.all.Load(); all != nil {
		n += len(*all)
	}
	return n
}
