package codec

import "time"

// An envelope may have a placeholder in place of a value: an extension object of
// MessagePack, of a type that no value has (see zonedTime). A program that does not
// know placeholders finds the envelope malformed.
const (
	ext8       = 0xc7
	absentType = 0x41
	leaseType  = 0x4c
)

// AppendAbsent appends an envelope that says that there is no value, and
// returns the extended slice. The absence expires as a value does.
func (c *Codec[V]) AppendAbsent(dst []byte, expires time.Time) []byte {
	return appendPlaceholder(dst, absentType, "", expires)
}

// MaxLeaseText is how many bytes the text of a lease may have.
const MaxLeaseText = 255

// AppendLease appends an envelope that says that the value is being loaded, and
// returns the extended slice. The text, of at most MaxLeaseText bytes, is the caller's.
func (c *Codec[V]) AppendLease(dst []byte, text string) []byte {
	return appendPlaceholder(dst, leaseType, text, time.Time{})
}

// LeaseText returns the text of an envelope that AppendLease has made.
func LeaseText(data []byte) (text string, ok bool) {
	if len(data) < HeaderSize || string(data[:len(format)]) != format || placeholderError(data[HeaderSize:]) != ErrLease {
		return "", false
	}
	return string(data[HeaderSize+3:]), true
}

func appendPlaceholder(dst []byte, extension byte, text string, expires time.Time) []byte {
	dst = appendHeader(dst, expires)
	dst = append(dst, ext8, byte(len(text)), extension)
	return append(dst, text...)
}

// placeholderError returns the error of the placeholder in body, or nil if there is
// none.
func placeholderError(body []byte) error {
	if len(body) < 3 || body[0] != ext8 || len(body) != 3+int(body[1]) {
		return nil
	}
	switch body[2] {
	case absentType:
		return ErrAbsent
	case leaseType:
		return ErrLease
	}
	return nil
}
