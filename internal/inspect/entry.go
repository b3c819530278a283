package inspect

import (
	"crypto/sha256"
	"encoding/base64"
	"time"

	"github.com/seed-dad15c92/txcache/backend"
)

// An Entry is the place of one value, read back from its name on the server.
type Entry struct {
	Database, Cache string
	Schema          string        // a fingerprint of the shape of the cache's values
	Token           backend.Token // the cache's generation
	Key             string        // the canonical form of key and user context, "" if Digest is not

	// Digest stands for a key that is too long to be kept in a name: SHA-256
	// in unpadded base64url.
	Digest string

	Name string // of the key on the server
}

// Is reports whether the entry is that of key, whether or not it is readable.
func (e *Entry) Is(key string) bool {
	if e.Digest == "" {
		return e.Key == key
	}
	sum := sha256.Sum256([]byte(key))
	return e.Digest == base64.RawURLEncoding.EncodeToString(sum[:])
}

// A Found is a value that the server keeps.
type Found struct {
	Entry
	Data []byte
	TTL  time.Duration // for which the server keeps it; -1 if that is not known
}
