package codec_test

import (
	"errors"
	"testing"
	"time"

	"github.com/seed-dad15c92/txcache/internal/codec"
)

// Of a value that turns out to be malformed on the way nothing is returned.
func TestNothingOfAMalformedValueIsReturned(t *testing.T) {
	type pair struct {
		First  int
		Second string
	}
	c := codec.New[pair]()
	data, err := c.Append(nil, pair{First: 1, Second: "two"}, time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	v, expires, err := c.Decode(data[:len(data)-1])
	if !errors.Is(err, codec.ErrMalformed) || v != (pair{}) || !expires.IsZero() {
		t.Errorf("Decode = %+v, %v, %v; want ErrMalformed and nothing else", v, expires, err)
	}
}
