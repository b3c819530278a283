package codec

// SetMaxSize sets the limit of an encoded value and returns what it was.
func SetMaxSize(n int) (old int) {
	old, maxSize = maxSize, n
	return old
}
