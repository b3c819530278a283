package command

import (
	"fmt"
	"io"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// An escaper writes text with everything escaped that a terminal would obey, or
// would not show: names, tokens, keys and errors come from a server that others
// write to. In a JSON document the escapes are those of JSON.
type escaper struct{ to io.Writer }

// harmful reports whether r is a control character, of a terminal or of the
// direction of text, or an end of a line that is none here.
func harmful(r rune) bool {
	return r != '\n' && r != '\t' && unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp)
}

func (e escaper) Write(text []byte) (int, error) {
	safe := make([]byte, 0, len(text))
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		switch {
		case r == utf8.RuneError && size == 1: // some terminals obey single bytes above 0x7f
			safe = fmt.Appendf(safe, `\x%02x`, text[i])
		case !harmful(r):
			safe = append(safe, text[i:i+size]...)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			safe = fmt.Appendf(safe, `\u%04x\u%04x`, high, low)
		default:
			safe = fmt.Appendf(safe, `\u%04x`, r)
		}
		i += size
	}
	if _, err := e.to.Write(safe); err != nil {
		return 0, err
	}
	return len(text), nil
}

// A checked writer keeps the first error, for those who write do not look.
type checked struct {
	to  io.Writer
	err error
}

func (c *checked) Write(b []byte) (int, error) {
	n, err := c.to.Write(b)
	if c.err == nil {
		c.err = err
	}
	return n, err
}
