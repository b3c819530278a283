package codec

import (
	"encoding/binary"
	"time"
)

// A value may live for a time of its own. Then an extension object of MessagePack, of a type
// that no value has, stands between the header and the value: the life, which is nanoseconds as a big-endian number. A
// program that does not know lives finds the envelope malformed.
const (
	lifeType = 0x44
	lifeSize = 3 + 8
)

// WithLife returns an envelope that Append or AppendAbsent has made for a value that lives for
// a time of its own, which must be positive: for how long after it was set, at most.
func WithLife(envelope []byte, life time.Duration) []byte {
	lived := make([]byte, 0, len(envelope)+lifeSize)
	lived = append(lived, envelope[:HeaderSize]...)
	lived = append(lived, ext8, lifeSize-3, lifeType)
	lived = binary.BigEndian.AppendUint64(lived, uint64(life))
	return append(lived, envelope[HeaderSize:]...)
}

// Life returns the life of its own that the value of an envelope has, and 0 if it has none,
// or data is no envelope.
func Life(data []byte) time.Duration {
	if len(data) < HeaderSize || string(data[:len(format)]) != format {
		return 0
	}
	life, _ := cutLife(data[HeaderSize:])
	return life
}

// Body returns what stands for the value in an envelope: all but its header and its life.
func Body(envelope []byte) []byte {
	_, body := cutLife(envelope[HeaderSize:])
	return body
}

// cutLife returns the life at the beginning of what follows a header, 0 if there is none, and the rest.
func cutLife(body []byte) (time.Duration, []byte) {
	if len(body) < lifeSize || body[0] != ext8 || body[1] != lifeSize-3 || body[2] != lifeType {
		return 0, body
	}
	life := time.Duration(binary.BigEndian.Uint64(body[3:]))
	if life <= 0 { // nobody has written it
		return 0, body
	}
	return life, body[lifeSize:]
}
