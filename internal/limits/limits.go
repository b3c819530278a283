// Package limits has the bounds that several packages hold names and settings to.
package limits

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// DefaultWait and LongestWait are for how long a change waits for a process that may use an earlier
// state of Redis and does not answer: unless it is set, and at most, as a transaction
// holds its locks meanwhile.
const (
	DefaultWait = 2 * time.Second
	LongestWait = 20 * time.Second
)

// ShortestFence is the shortest lease of a fence: its owner renews it meanwhile.
const ShortestFence = 100 * time.Millisecond

// Table returns an error unless name can be that of the table of class sql, perhaps with
// the name of a schema in front.
func Table(name string) error {
	const plain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"
	parts := strings.Split(name, ".")
	if len(parts) > 2 {
		return errors.New("has more than a schema in front of its name")
	}
	for _, part := range parts {
		if part == "" || len(part) > 54 || strings.Trim(part, plain) != "" || strings.Contains("0123456789", part[:1]) {
			return errors.New("is no such name: ASCII letters, digits and underscores, no digit at first, and 54 characters at most")
		}
	}
	return nil
}

// MaxName is how many bytes the name of a database or of a cache may have,
// and the prefix of a deployment: as many as web servers take for a URL or a
// header, so that whatever tells a request's tenant is a name. Each name is a
// part of every key and of every announcement, where escaping makes it three
// times as long.
const MaxName = 8 << 10

// Name returns an error if name is too long. The error does not show the name.
func Name(what, name string) error {
	if len(name) > MaxName {
		return fmt.Errorf("%s has %d bytes; it must have %d at most", what, len(name), MaxName)
	}
	return nil
}

// CheckName returns an error of txcache unless name can be that of a database or a
// cache, which what says.
func CheckName(what, name string) error {
	switch {
	case len(name) > MaxName:
		return fmt.Errorf("txcache: %w", Name(what+" name", name))
	case name == "":
		return fmt.Errorf("txcache: %s name is empty", what)
	case !utf8.ValidString(name):
		return fmt.Errorf("txcache: %s name %q is not valid UTF-8", what, name)
	}
	return nil
}
