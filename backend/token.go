package backend

import (
	"crypto/rand"
	"encoding/base32"
	"encoding/binary"
	"time"
)

// A Token names a generation, an epoch or a fence. It has never been used
// before and never will be again. Those made by NewToken are 26 characters
// long, of the digits and lower-case letters; a backend that makes its own
// keeps to printable ASCII without spaces. The empty Token names nothing.
type Token string

// NewToken returns a token: 48 bits of the time in milliseconds, then 80 random
// ones, in an alphabet that sorts by time, as ULIDs do (github.com/ulid/spec).
// The order is for people who read keys; uniqueness rests on the random bits,
// so a clock that jumps does no harm.
func NewToken() Token {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], uint64(time.Now().UnixMilli())<<16)
	rand.Read(b[6:])
	return Token(encoding.EncodeToString(b[:]))
}

var encoding = base32.NewEncoding("0123456789abcdefghijklmnopqrstuv").WithPadding(base32.NoPadding)
