package canon

import (
	"strings"
	"sync/atomic"
	"unique"
	"unsafe"
)

// An ID identifies a user context. It is comparable, and as large as a pointer:
// within a process two IDs are equal if, and only if, the contexts are the same.
// The zero ID is that of the empty context.
type ID struct {
	form unique.Handle[string]
}

// maxForm is the length up to which the canonical form of a context stands
// for itself. A longer one is replaced by its digest, after a byte that no form
// begins with.
const (
	maxForm  = 256
	digested = "\xff"
)

func newID(form []byte) ID {
	if len(form) > maxForm {
		return ID{unique.Make(digested + digest(form))}
	}
	return ID{unique.Make(string(form))}
}

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
	form := id.form.Value()
	if text, ok := strings.CutPrefix(form, digested); ok {
		return text
	}
	slot := &texts[id.Hash()%uint64(len(texts))]
	if t := slot.Load(); t != nil && t.id == id {
		return t.text
	}
	t := &text{id, digest([]byte(form))}
	slot.Store(t)
	return t.text
}

// texts remembers some of the digests. Only values outside of the process need
// them, but those that do need them with every call.
var texts [1024]atomic.Pointer[text]

type text struct {
	id   ID
	text string
}
