package codec_test

import (
	"errors"
	"testing"
	"time"

	"github.com/seed-dad15c92/txcache/internal/codec"
)

func TestPlaceholdersComeBack(t *testing.T) {
	c := codec.New[any]()
	expires := time.Date(2027, 1, 2, 3, 4, 5, 6, time.UTC)
	for _, test := range []struct {
		name    string
		data    []byte
		expires time.Time
		err     error
	}{
		{"absent", c.AppendAbsent(nil, expires), expires, codec.ErrAbsent},
		{"absent for ever", c.AppendAbsent(nil, time.Time{}), time.Time{}, codec.ErrAbsent},
		{"lease", c.AppendLease([]byte("before"), "owner")[6:], time.Time{}, codec.ErrLease},
		{"lease of nobody", c.AppendLease(nil, ""), time.Time{}, codec.ErrLease},
	} {
		v, at, err := c.Decode(test.data)
		if v != nil || !at.Equal(test.expires) || err != test.err {
			t.Errorf("%s: Decode = %v, %v, %v; want %v, %v", test.name, v, at, err, test.expires, test.err)
		}
		for n := range test.data {
			if _, _, err := c.Decode(test.data[:n]); !errors.Is(err, codec.ErrMalformed) {
				t.Errorf("%s: Decode of %d bytes of %d = %v; want ErrMalformed", test.name, n, len(test.data), err)
			}
		}
		if _, _, err := c.Decode(append(test.data, 0)); !errors.Is(err, codec.ErrMalformed) {
			t.Errorf("%s: Decode of a byte too many = %v; want ErrMalformed", test.name, err)
		}
		unknown := append([]byte{}, test.data...)
		unknown[codec.HeaderSize+2] = 'x'
		if _, _, err := c.Decode(unknown); !errors.Is(err, codec.ErrMalformed) {
			t.Errorf("%s: Decode of an unknown placeholder = %v; want ErrMalformed", test.name, err)
		}
	}
	if string(c.AppendLease(nil, "a")) == string(c.AppendLease(nil, "b")) {
		t.Error("the leases of two owners are the same")
	}
}

// No value looks like a placeholder.
func TestNoValueIsAPlaceholder(t *testing.T) {
	c := codec.New[any]()
	for _, v := range []any{nil, 0, "", "A", "L", []byte("AL"), time.Now(), time.Time{}, []any{}, map[string]any{}} {
		data, err := c.Append(nil, v, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := c.Decode(data); err != nil {
			t.Errorf("Decode of %v = %v", v, err)
		}
	}
}
