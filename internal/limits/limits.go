// Package limits has the bound that several packages hold names to.
package limits

import "fmt"

// LongestName is how many bytes the name of a database or of a cache may have,
// and the prefix of a deployment: as many as web servers take for a URL or a
// header, so that whatever tells a request's tenant is a name. Each name is a
// part of every key and of every announcement, where escaping makes it three
// times as long.
const LongestName = 8 << 10

// Name returns an error if name is too long. The error does not show the name.
func Name(what, name string) error {
	if len(name) > LongestName {
		return fmt.Errorf("%s has %d bytes; it must have %d at most", what, len(name), LongestName)
	}
	return nil
}
