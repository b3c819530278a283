package codec_test

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/seed-dad15c92/txcache/internal/codec"
)

func TestALifeStandsBesideTheValue(t *testing.T) {
	c := codec.New[any]()
	expires := time.Unix(7, 0).UTC()
	for _, life := range []time.Duration{1, time.Hour, math.MaxInt64} {
		for _, value := range []any{nil, "v", []int{1}, map[string]any{"a": 1}} {
			plain, err := c.Append(nil, value, expires)
			if err != nil {
				t.Fatal(err)
			}
			codec.SetFill(plain, 3)
			lived := codec.WithLife(plain, life)
			got, at, err := c.Decode(lived)
			if !c.Alike(got, value) || at != expires || err != nil || codec.Life(lived) != life || codec.Fill(lived) != 3 {
				t.Errorf("%v for %v came back as %v for %v, until %v, %v", value, life, got, codec.Life(lived), at, err)
			}
			if codec.Life(plain) != 0 || string(codec.Body(plain)) != string(codec.Body(lived)) {
				t.Errorf("%v without a life has %v, or another body", value, codec.Life(plain))
			}
			if _, _, err := c.Decode(codec.WithLife(lived, life)); !errors.Is(err, codec.ErrMalformed) {
				t.Errorf("two lives: %v; want ErrMalformed", err)
			}
		}
		absent := codec.WithLife(c.AppendAbsent(nil, expires), life)
		if _, at, err := c.Decode(absent); err != codec.ErrAbsent || at != expires || codec.Life(absent) != life {
			t.Errorf("an absence for %v: %v until %v, %v", life, codec.Life(absent), at, err)
		}
	}
	for _, life := range []time.Duration{0, -1, math.MinInt64} { // nobody writes these
		plain, _ := c.Append(nil, "v", expires)
		if _, _, err := c.Decode(codec.WithLife(plain, life)); !errors.Is(err, codec.ErrMalformed) {
			t.Errorf("a life of %v: %v; want ErrMalformed", life, err)
		}
	}
	for _, none := range []string{"", "x", "\xc1\x82", "not an envelope, for all its length"} {
		if codec.Life([]byte(none)) != 0 {
			t.Errorf("%q has a life", none)
		}
	}
}
