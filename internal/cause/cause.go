// Package cause lets an error of txcache be the cause of another one, so that the
// text of both together begins with "txcache: " and says it only once.
package cause

import "strings"

const prefix = "txcache: "

// Of returns err without the prefix that errors of txcache have: at the beginning
// of its text, of a line of it, and of the causes that it names itself. For
// errors.Is and errors.As it is err. It returns nil for nil.
func Of(err error) error {
	if err == nil {
		return nil
	}
	return cause{err}
}

type cause struct{ error }

func (c cause) Error() string {
	text := strings.TrimPrefix(c.error.Error(), prefix)
	return strings.ReplaceAll(strings.ReplaceAll(text, "\n"+prefix, "\n"), ": "+prefix, ": ")
}

func (c cause) Unwrap() error { return c.error }
