package codec_test

import (
	"reflect"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/seed-dad15c92/txcache/internal/codec"
)

func TestACodecIsSafeForConcurrentUse(t *testing.T) {
	c := codec.New[record]()
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			for j := range 100 {
				text := strconv.Itoa(i * j)
				want := record{
					base:   base{i, &text},
					Tags:   []label{label(text), "x"},
					Index:  map[string]map[int]point{text: {i: {1, 2}, j: {3, 4}}, "": nil},
					Any:    map[any]any{text: i, i: text},
					Amount: *refBig,
				}
				data, err := c.Append(nil, want, time.Time{})
				if err != nil {
					t.Error(err)
					return
				}
				c.Decode(data[:len(data)/2]) // leaves a decoder in the middle
				if got, _, err := c.Decode(data); err != nil || !reflect.DeepEqual(got, want) {
					t.Errorf("%v came back as %v, %v", want, got, err)
				}
			}
		})
	}
	wg.Wait()
}
