package redisbackend

import (
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/seed-dad15c92/txcache/backend"
)

// What a fence names comes back from the text of its keys, whatever their names.
func FuzzDeletes(f *testing.F) {
	f.Add("users", uint64(1), uint64(1<<63), "users#0000000000000001")
	f.Add("", uint64(0), uint64(0), "#")
	f.Add("a#b@c d%", uint64(0xabcdef), uint64(2), "a#0000000000000001#000000000000000A")
	f.Add("é", uint64(3), uint64(3), "a#000000000000001#00000000000000012")
	f.Fuzz(func(t *testing.T, cache string, one, two uint64, any string) {
		want := backend.Keys{Cache: cache, Hashes: []uint64{min(one, two), max(one, two)}}
		want.Hashes = slices.Compact(want.Hashes)
		text := string(appendDeletes(nil, []backend.Keys{want}))
		if got, ok := fenced(strings.TrimPrefix(text, " ")); !ok || !reflect.DeepEqual(got, want) {
			t.Errorf("%q is read as %v, %t; want %v", text, got, ok, want)
		}
		if e, ok := parseEntry("7" + text); !ok || e.version != 7 || len(e.cleared) > 0 || !reflect.DeepEqual(e.deleted, []backend.Keys{want}) {
			t.Errorf("the entry %q is read as %+v, %t", text, e, ok)
		}
		if name, hashes, ok := parseDeletes(any); ok {
			if again := string(appendDeletes(nil, []backend.Keys{{Hashes: hashes}})); " "+any != " "+name+again[1:] {
				t.Errorf("%q is read as %q and %x", any, name, hashes)
			}
		}
	})
}

// A log that nobody should have written is refused, or makes a state; it is no reason to fail.
func FuzzLog(f *testing.F) {
	f.Add("9 2 1 1", "w2", "9 a@t b#0000000000000001", "o", "8", "9 c@t")
	f.Add("9 18446744073709551615 1 1", "w18446744073709551615", "9 a@", "oa%", "x", "10 #0000000000000001")
	f.Add("9 0 0 0", "w", "9", "ob", "18446744073709551615", "")
	f.Fuzz(func(t *testing.T, mark, field, entry, floorField, floor, since string) {
		if field == "" || floorField == "" {
			return
		}
		r := reply{epoch: "e", version: 9, fields: []any{"b", "base", "s", mark, field, entry, floorField, floor}}
		s, log, _, err := r.state()
		if err != nil {
			return
		}
		for _, c := range []string{"", "a", "b"} {
			if last, before := s.Deletes.Of(c).Last(1); last > 9 || before > last {
				t.Errorf("%q was deleted in %d and %d, in a state at 9", c, before, last)
			}
		}
		next := reply{epoch: "e", version: 10, since: []any{since}}
		if after, seq, err := next.stateSince(s, log.mark.head); err == nil {
			if seq != log.mark.head+1 || after.Number != 10 || s.Number != 9 {
				t.Errorf("the state after the entry %d, at %d, is said to be at %d, after %d", log.mark.head, s.Number, after.Number, seq)
			}
		}
	})
}

func TestEntriesThatNoScriptWrote(t *testing.T) {
	const good = "12 users@t1.12 roles@t2 users#00000000000000ff#0000000000000001 #0000000000000003 users@t3 #0000000000000002"
	want := logEntry{
		version: 12,
		cleared: []backend.Generation{{Cache: "roles", Token: "t2"}, {Cache: "users", Token: "t3"}},
		deleted: []backend.Keys{{Hashes: []uint64{2, 3}}, {Cache: "users", Hashes: []uint64{1, 255}}},
	}
	if e, ok := parseEntry(good); !ok || !reflect.DeepEqual(e, want) {
		t.Errorf("%q is read as %+v, %t", good, e, ok)
	}
	for _, bad := range []string{
		"", "12", "12 ", "x users@t", "-1 users@t", "12 users", "12 users@", "12  users@t", "12 us%ers@t", "12 users#",
		"12 users#00000000000000FF", "12 users#0000000000000001#", "12 users#000000000000000g", "12 us%#0000000000000001",
		"12 users#000000000000000100000000000000001", "12 users@t ",
	} {
		if e, ok := parseEntry(bad); ok {
			t.Errorf("%q is read as %+v", bad, e)
		}
	}
	for _, bad := range []string{"", "1 2 3", "1 2 3 4 5", "1 2 3 4", "1 -2 0 0", "1 2 x 0", "1 2 1 x", " 1 2 1 0"} {
		if m, ok := parseMark(bad); ok {
			t.Errorf("the mark %q is read as %+v", bad, m)
		}
	}
}

// Of a whole hash the log must be all there.
func TestLogsThatNoScriptLeft(t *testing.T) {
	for _, c := range []struct {
		name   string
		fields map[string]string
		ok     bool
	}{
		{"of an older release", map[string]string{}, true},
		{"empty", map[string]string{"s": "9 4 4 0"}, true},
		{"good", map[string]string{"s": "9 4 2 2", "w3": "7 a#0000000000000001", "w4": "9 a@t", "oa": "6"}, true},
		{"one lost", map[string]string{"s": "9 4 2 2", "w4": "9 a@t"}, false},
		{"one renamed", map[string]string{"s": "9 4 2 2", "w4": "9 a@t", "w5": "7 a@t"}, false},
		{"one too many", map[string]string{"s": "9 4 2 2", "w2": "5 a@t", "w3": "7 a@t", "w4": "9 a@t"}, false},
		{"out of order", map[string]string{"s": "9 4 2 2", "w3": "9 a@t", "w4": "7 a@t"}, false},
		{"of the future", map[string]string{"s": "9 4 2 2", "w3": "7 a@t", "w4": "10 a@t"}, false},
		{"a floor above its deletes", map[string]string{"s": "9 4 2 2", "w3": "7 a@t", "w4": "9 a@t", "oa": "8"}, false},
		{"a floor of the future", map[string]string{"s": "9 4 4 0", "oa": "10"}, false},
		{"a floor of no cache", map[string]string{"s": "9 4 4 0", "o%": "1"}, false},
		{"a number of no entry", map[string]string{"s": "9 1 0 1", "wx": "9 a@t"}, false},
		{"no mark", map[string]string{"w1": "7 a@t"}, false},
		{"a mark of nothing", map[string]string{"s": ""}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := reply{epoch: "e", version: 9, fields: []any{"b", "base"}}
			for field, value := range c.fields {
				r.fields = append(r.fields, field, value)
			}
			if s, _, _, err := r.state(); (err == nil) != c.ok {
				t.Errorf("state %+v, error %v", s, err)
			}
		})
	}
}

// A difference that does not follow on is none.
func TestDifferencesThatDoNotFollow(t *testing.T) {
	last := &backend.State{Number: 5, Epoch: "e", Base: "b"}
	for _, c := range []struct {
		since []any
		lines string
		ok    bool
	}{
		{[]any{"6 a@t", "8 b@t"}, "", true},
		{[]any{}, "id 1 1000 0 !x a #0000000000000001", true},
		{[]any{"5 a@t"}, "", false},
		{[]any{"8 a@t", "8 b@t"}, "", false},
		{[]any{"9 a@t"}, "", false},
		{[]any{nil}, "", false},
		{[]any{"6 a"}, "", false},
		{[]any{}, "id 1", false},
	} {
		r := reply{epoch: "e", version: 8, fences: c.lines, since: c.since}
		s, seq, err := r.stateSince(last, 3)
		if (err == nil) != c.ok {
			t.Errorf("%q and %q make %+v, error %v", c.since, c.lines, s, err)
		} else if c.ok && (seq != 3+uint64(len(c.since)) || s.Number != 8 || last.Number != 5 || len(last.Caches) > 0) {
			t.Errorf("%q make %+v after the entry %d", c.since, s, seq)
		}
	}
}

func TestRepliesThatNoScriptMakes(t *testing.T) {
	said := func(epoch, version, fences, serial, members any, more ...any) []any {
		return append([]any{epoch, version, fences, serial, serial, members, "0", "0"}, more...)
	}
	if _, err := parseReply(said("e", "1", "", "1", "0")); err != nil {
		t.Error(err)
	}
	for _, bad := range []any{
		nil, "x", []any{}, []any{"e", "1"}, []any{"e", "1", ""},
		said("", "1", "", "1", "0"), said("e", "x", "", "1", "0"), said("e", "1", nil, "1", "0"),
		said("e", "1", "", "0", "0"), said("e", "1", "", "x", "0"), said("e", "1", "", "1", nil),
		said("e", "1", "", "1", "0", "since"), said("e", "1", "", "1", "0", "since", nil), said("e", "1", "", "1", "0", "whole", []any{"b"}),
		said("e", "1", "", "1", "0", "more", []any{}), said("e", "1", "", "1", "0", nil, []any{}), said("e", "1", "", "1", "0", "since", []any{}, "x"),
	} {
		if r, err := parseReply(bad); err == nil {
			t.Errorf("%q is read as %+v", bad, r)
		}
	}
}

// The script remembers as much as a State may.
func TestTheLogIsAsLongAsAStateRemembers(t *testing.T) {
	if want := "local most, farthest, batch = " + strconv.Itoa(backend.MaxDeletes) + ","; !strings.Contains(databaseLua, want) {
		t.Errorf("the script has no %q", want)
	}
}
