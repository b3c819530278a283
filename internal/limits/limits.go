// Package limits has the bounds that several packages hold settings and names
// to. A setting beyond its bound is refused when a store is opened.
package limits

import (
	"fmt"
	"time"
)

// LongestFence is the longest lease of a fence: a year. The scripts in Redis
// hold a lease of up to thirty years, and add it to the server's clock. A fence
// that nobody lifts keeps its caches out of use for its whole lease, so nothing
// near that is of any use.
const LongestFence = 365 * 24 * time.Hour

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
