package redisbackend

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// partSize is up to which length a value is kept as it is. A longer one is kept
// in parts of that length, each under a key of its own, and what is kept under
// its own key is a summary, by which the parts are found. So no command keeps
// the server busy for long, nothing that is sent at once is large enough to
// delay what others send over the same line, and no limit of the server for the
// length of a string or of a reply is met. At 1 Gbit/s a part takes half a
// millisecond.
const partSize = 64 << 10

// A summary stands for a value that is kept in parts. Its text is what the
// server keeps: a sign that no encoded value begins with, the length of the
// value, and its digest. Equal values have equal summaries, and the keys of
// parts are made of it: writers of one value write the same parts, those of
// different values different ones, and no reader can take one for the other.
type summary struct {
	length int
	digest [sha256.Size]byte
}

const (
	summarySign = "\xfftxcache:parts:1"
	summarySize = len(summarySign) + 8 + sha256.Size
)

// summarize returns the summary of data. It goes over it part by part: while a
// digest is being made, its goroutine cannot be interrupted.
func summarize(data []byte) summary {
	digest := sha256.New()
	for part := range slices.Chunk(data, partSize) {
		digest.Write(part)
	}
	s := summary{length: len(data)}
	digest.Sum(s.digest[:0])
	return s
}

// summarized reports whether data that the server keeps is a summary. What is a
// value, and looks like one, is kept in parts as well, however short.
func summarized(data []byte) bool {
	return len(data) == summarySize && string(data[:len(summarySign)]) == summarySign
}

// divided reports whether data is kept in parts.
func divided(data []byte) bool { return len(data) > partSize || summarized(data) }

// stored returns what the server keeps of data under the key of the value itself.
func stored(data []byte) []byte {
	if !divided(data) {
		return data
	}
	s := summarize(data)
	return s.text()
}

func (s *summary) text() []byte {
	text := make([]byte, 0, summarySize)
	text = append(text, summarySign...)
	text = binary.BigEndian.AppendUint64(text, uint64(s.length))
	return append(text, s.digest[:]...)
}

// parseSummary undoes text. It reports false for a length that is not within
// limit: nothing is allocated for what somebody else has written.
func parseSummary(text []byte, limit int) (s summary, ok bool) {
	if !summarized(text) {
		return s, false
	}
	length := binary.BigEndian.Uint64(text[len(summarySign):])
	copy(s.digest[:], text[len(summarySign)+8:])
	if length > uint64(limit) {
		return s, false
	}
	s.length = int(length)
	return s, true
}

// parts returns in how many parts data of that length is kept.
func parts(length int) int { return (length + partSize - 1) / partSize }

// part returns the key of the i-th part of the value called name. The sign "!"
// is in no key of a value but in front of a digest.
func (s *summary) part(name string, i int) string {
	return name + "!" + base64.RawURLEncoding.EncodeToString(s.digest[:12]) + "!" + strconv.Itoa(i)
}

// isPart reports whether key, that of a value or a part, is that of a part.
func isPart(key string) bool {
	last := key[strings.LastIndexByte(key, ':')+1:]
	return strings.LastIndexByte(last, '!') > 0
}

// put keeps the parts of data, the value called name, for so many milliseconds,
// one after another, and returns its summary.
func (b *Backend) put(ctx context.Context, name string, data []byte, ms int64) ([]byte, error) {
	s := summarize(data)
	for i := 0; len(data) > 0; i++ {
		n := min(partSize, len(data))
		key := s.part(name, i)
		// It is copied because it may still be on its way when ctx ends.
		cmd := redis.NewStatusCmd(context.Background(), "set", key, bytes.Clone(data[:n]), "px", ms)
		if err := b.links.of(key).parts.do(ctx, &request{key: key, cmds: []redis.Cmder{cmd}, bytes: n}); err != nil {
			return nil, err
		}
		if err := cmd.Err(); err != nil {
			return nil, fmt.Errorf("txcache: redis: %w", err)
		}
		data = data[n:]
	}
	return s.text(), nil
}

// assemble returns the value called name, of which text is the summary; nil if
// not all of its parts are there, or they are not those of that value. // P9
func (b *Backend) assemble(ctx context.Context, name string, text []byte) ([]byte, error) {
	s, ok := parseSummary(text, b.options.LargestValue)
	if !ok {
		return nil, nil
	}
	var all [][]byte
	digest := sha256.New()
	for i := range parts(s.length) {
		key := s.part(name, i)
		cmd := redis.NewStringCmd(context.Background(), "get", key)
		if err := b.links.of(key).parts.do(ctx, &request{key: key, cmds: []redis.Cmder{cmd}, bytes: partSize}); err != nil {
			return nil, err
		}
		part, err := dataOf(cmd)
		if err != nil || len(part) != min(partSize, s.length-i*partSize) {
			return nil, err
		}
		digest.Write(part)
		all = append(all, part)
	}
	if string(digest.Sum(nil)) != string(s.digest[:]) {
		return nil, nil
	}
	data := make([]byte, 0, s.length) // now that so much has come
	for _, part := range all {
		data = append(data, part...)
	}
	return data, nil
}
