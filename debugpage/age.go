package debugpage

import (
	"encoding/base32"
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"github.com/seed-dad15c92/txcache/backend"
)

// cleared says how long ago a generation began: its cache was cleared then, or its
// database was new. A token of backend.NewToken has the time of the clock of the
// process that made it; of others nothing is said.
func cleared(token backend.Token, now time.Time) string {
	at, ok := timeOf(token)
	if !ok {
		return ""
	}
	return "cleared " + ago(now.Sub(at))
}

var tokenText = base32.NewEncoding("0123456789abcdefghijklmnopqrstuv").WithPadding(base32.NoPadding)

// timeOf returns when NewToken made token, or part of a token before a dot.
func timeOf(token backend.Token) (time.Time, bool) {
	text, _, _ := strings.Cut(string(token), ".")
	b, err := tokenText.DecodeString(text)
	if err != nil || len(b) != 16 {
		return time.Time{}, false
	}
	at := time.UnixMilli(int64(binary.BigEndian.Uint64(b) >> 16))
	// What another backend makes may look the same and mean no time.
	return at, at.Year() >= 2000 && at.Year() < 2100
}

// ago says how long ago something was; clocks differ, so it may be to come.
func ago(d time.Duration) string {
	for _, unit := range []struct {
		length time.Duration
		name   string
	}{{24 * time.Hour, "d"}, {time.Hour, "h"}, {time.Minute, "min"}, {time.Second, "s"}} {
		if n := d / unit.length; n > 0 {
			return fmt.Sprintf("%d%s%s ago", n, narrow, unit.name)
		}
	}
	return "just now"
}
