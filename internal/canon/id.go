package canon

import (
	"unique"
	"unsafe"
)

// An ID identifies a user context. It is comparable, and as large as a pointer:
// within a process two IDs are equal if, and only if, the contexts are the same.
// The zero ID is that of the empty context.
type ID struct {
	text unique.Handle[string]
}

func newID(text string) ID { return ID{unique.Make(text)} }

// Hash returns a number for hash tables: equal IDs have equal numbers while the
// process lasts. It is 0 for the zero ID.
func (id ID) Hash() uint64 {
	// A handle is one pointer, and what it points to does not move.
	h := uint64(*(*uintptr)(unsafe.Pointer(&id))) * 0x9E3779B97F4A7C15
	return h ^ h>>32
}

// Text returns a digest of the canonical form of the context, the same in all
// processes, 43 characters of the base64url alphabet; "" for the empty context.
func (id ID) Text() string {
	if id == (ID{}) {
		return ""
	}
	return id.text.Value()
}
