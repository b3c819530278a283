package codec

import (
	"encoding/binary"
	"time"
)

// Besides values, an envelope can have a mark inside. It is an extension object
// of MessagePack, of a type that no value has (see zonedTime), so that a program which does not
// know marks finds the envelope malformed.
const (
	ext8       = 0xc7
	absentMark = 0x41
	leaseMark  = 0x4c
)

// AppendAbsent appends an envelope that says that there is no value, and
// returns the extended slice. What it says expires as a value does.
func (c *Codec[V]) AppendAbsent(dst []byte, expires time.Time) []byte {
	return appendMark(dst, absentMark, "", expires)
}

// MaxLease is the most bytes that the text of a lease may have.
const MaxLease = 255

// AppendLease appends an envelope that says that the value is being loaded, and
// returns the extended slice. The text, of at most MaxLease bytes, is the caller's.
func (c *Codec[V]) AppendLease(dst []byte, text string) []byte {
	return appendMark(dst, leaseMark, text, time.Time{})
}

// LeaseText returns the text of an envelope that AppendLease has made.
func LeaseText(data []byte) (text string, ok bool) {
	if len(data) < headerSize || data[0] != format || marked(data[headerSize:]) != ErrLease {
		return "", false
	}
	return string(data[headerSize+3:]), true
}

func appendMark(dst []byte, mark byte, text string, expires time.Time) []byte {
	dst = append(dst, format)
	dst = binary.BigEndian.AppendUint64(dst, uint64(expiryNanos(expires)))
	dst = append(dst, ext8, byte(len(text)), mark)
	return append(dst, text...)
}

// marked returns the error that stands for the mark in body, nil if there is
// none.
func marked(body []byte) error {
	if len(body) < 3 || body[0] != ext8 || len(body) != 3+int(body[1]) {
		return nil
	}
	switch body[2] {
	case absentMark:
		return ErrAbsent
	case leaseMark:
		return ErrLease
	}
	return nil
}
