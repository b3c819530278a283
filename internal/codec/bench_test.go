package codec_test

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/seed-dad15c92/txcache/internal/codec"
)

type small struct {
	ID      int64
	Name    string
	Active  bool
	Created time.Time
	Tags    []string
}

type large struct {
	small
	Lines    [20]small
	Comments map[string]string
	Parent   *small
}

func BenchmarkCodec(b *testing.B) {
	one := small{42, "Duck Tape", true, time.Unix(1700000000, 5), []string{"a", "b"}}
	big := large{small: one, Parent: &one, Comments: map[string]string{"x": strings.Repeat("y", 200)}}
	for i := range big.Lines {
		big.Lines[i] = one
	}
	strs, ints, texts, mixed := make([]string, 100), make([]int, 100), map[string]string{}, map[string]any{}
	for i := range strs {
		strs[i], ints[i] = "item "+strconv.Itoa(i), i*i
		texts[strs[i]] = strs[i]
		if i < 20 {
			mixed[strs[i]] = i
		}
	}
	bench(b, "string", "a short text")
	bench(b, "bytes", []byte("a short text"))
	bench(b, "int", 42)
	bench(b, "bool", true)
	bench(b, "small struct", one)
	bench(b, "1 kB struct", big)
	bench(b, "100 strings", strs)
	bench(b, "100 ints", ints)
	bench(b, "map of 100 strings", texts)
	bench(b, "map of 20 any", mixed)
}

func bench[V any](b *testing.B, name string, v V) {
	c := codec.New[V]()
	expires := time.Unix(1800000000, 0)
	data, err := c.Append(nil, v, expires)
	if err != nil {
		b.Fatal(err)
	}
	b.Run(name+"/append", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			if data, err = c.Append(data[:0], v, expires); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run(name+"/decode", func(b *testing.B) {
		b.ReportAllocs()
		b.SetBytes(int64(len(data)))
		for b.Loop() {
			if _, _, err := c.Decode(data); err != nil {
				b.Fatal(err)
			}
		}
	})
}
