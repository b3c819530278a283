package redisbackend

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"

	"github.com/seed-dad15c92/txcache/backend"
)

const (
	// longestKey is the length up to which the key part of a value's key is kept
	// readable. Longer ones are replaced by a digest.
	longestKey = 100

	// longestAnnounced is the same for what a message says of a database. So no
	// name makes a message so long that listeners do not look at it.
	longestAnnounced = 200
)

// A layout makes the names of everything that a Backend keeps in Redis. An
// escaped part holds none of ':', '@', '!', '#', braces, spaces and glob characters,
// so the separators below cannot be forged.
type layout struct{ prefix string } // escaped

func newLayout(prefix string) layout { return layout{escape(prefix)} }

// hash is the key of the hash that holds the generations of database.
func (l layout) hash(database string) string {
	return l.prefix + ":" + escape(database) + ":@"
}

// pattern matches every key of database and no other.
func (l layout) pattern(database string) string {
	return l.prefix + ":" + escape(database) + ":*"
}

// everything matches every key of the deployment.
func (l layout) everything() string { return l.prefix + ":*" }

// channel is where changes are announced.
func (l layout) channel() string { return l.prefix + ":@changes" }

// fences is where members hear of fences that wait for them. Scripts make this name of the other.
func (l layout) fences() string { return l.channel() + ":members" }

// announced is what stands for database in a message.
func announced(database string) string {
	name := escape(database)
	if len(name) <= longestAnnounced {
		return name
	}
	sum := sha256.Sum256([]byte(database))
	return "#" + base64.RawURLEncoding.EncodeToString(sum[:])
}

// isDigest reports whether announced stands for a database whose name is long.
func isDigest(announced string) bool {
	digest, ok := strings.CutPrefix(announced, "#")
	sum, err := base64.RawURLEncoding.DecodeString(digest)
	return ok && err == nil && len(sum) == sha256.Size
}

// sweepLock is the key of the lock that a process holds while it removes garbage. It has one
// colon less than a database's hash, so it is none.
func (l layout) sweepLock() string { return l.prefix + ":@sweep" }

// value is the key of a value.
func (l layout) value(k *backend.Key) string {
	buf := make([]byte, 0, 256) // room for the usual names, which is not allocated
	buf = append(buf, l.prefix...)
	buf = append(buf, ':')
	buf = appendEscaped(buf, k.Database)
	buf = append(buf, ':')
	buf = appendEscaped(buf, k.Cache)
	buf = append(buf, '@')
	buf = appendEscaped(buf, k.Schema)
	buf = append(buf, ':')
	buf = appendEscaped(buf, string(k.Token))
	buf = append(buf, ':')
	if len(k.Key) <= longestKey {
		start := len(buf)
		if buf = appendEscaped(buf, k.Key); len(buf)-start <= longestKey {
			return string(buf)
		}
		buf = buf[:start]
	}
	sum := sha256.Sum256([]byte(k.Key))
	buf = append(buf, '!')
	buf = base64.RawURLEncoding.AppendEncode(buf, sum[:])
	return string(buf)
}

// generation takes the key of a value apart, as far as its generation. The
// parts stay escaped. It reports false for any other key.
func (l layout) generation(key string) (database, cache, token string, ok bool) {
	rest, ok := strings.CutPrefix(key, l.prefix+":")
	if !ok {
		return "", "", "", false
	}
	parts := strings.Split(rest, ":")
	if len(parts) != 4 {
		return "", "", "", false
	}
	cache, _, ok = strings.Cut(parts[1], "@")
	return parts[0], cache, parts[2], ok
}

const hexDigits = "0123456789ABCDEF"

// plain holds the characters that stand for themselves in a key.
var plain = func() (is [256]bool) {
	for _, c := range []byte("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_./,=+~") {
		is[c] = true
	}
	return is
}()

// escape makes s fit to be a part of a key, one-to-one, in the manner of the
// percent-encoding of RFC 3986.
func escape(s string) string {
	for i := range len(s) {
		if !plain[s[i]] {
			return string(appendEscaped(make([]byte, 0, 3*len(s)), s))
		}
	}
	return s
}

func appendEscaped(buf []byte, s string) []byte {
	start := 0 // of what is plain
	for i := range len(s) {
		if c := s[i]; !plain[c] {
			buf = append(buf, s[start:i]...)
			buf = append(buf, '%', hexDigits[c>>4], hexDigits[c&15])
			start = i + 1
		}
	}
	return append(buf, s[start:]...)
}

// unescape undoes escape. It reports false for what escape does not return.
func unescape(s string) (string, bool) {
	if !strings.Contains(s, "%") {
		return s, escape(s) == s
	}
	buf := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			buf = append(buf, s[i])
			continue
		}
		if i+2 >= len(s) {
			return "", false
		}
		high, low := strings.IndexByte(hexDigits, s[i+1]), strings.IndexByte(hexDigits, s[i+2])
		if high < 0 || low < 0 {
			return "", false
		}
		buf = append(buf, byte(high<<4|low))
		i += 2
	}
	out := string(buf)
	return out, escape(out) == s
}
