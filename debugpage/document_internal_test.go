package debugpage

import (
	"reflect"
	"testing"

	"github.com/seed-dad15c92/txcache"
)

func TestTheTotalHasEveryCount(t *testing.T) {
	var one txcache.Stats
	for field, v := range reflect.ValueOf(&one).Elem().Fields() {
		switch {
		case v.CanUint():
			v.SetUint(uint64(field.Index[0]) + 1)
		case v.CanInt():
			v.SetInt(int64(field.Index[0]) + 1)
		}
	}
	for field, v := range reflect.ValueOf(sum([]txcache.Stats{one, one})).Fields() {
		want := field.Index[0] + 1 + field.Index[0] + 1
		if v.CanUint() && v.Uint() != uint64(want) || v.CanInt() && v.Int() != int64(want) {
			t.Errorf("%s is %v in the total, want %d", field.Name, v, want)
		}
	}
}
