package codec

import (
	"reflect"
	"time"

	"github.com/vmihailenco/msgpack/v5/msgpcode"
)

var timeType = reflect.TypeFor[time.Time]()

// A timeCoder takes time.Time and types defined as it.
type timeCoder struct{ typ reflect.Type }

func (c timeCoder) encode(e *encoder, v reflect.Value) error {
	if !v.CanAddr() {
		return e.pack.EncodeTime(v.Convert(timeType).Interface().(time.Time))
	}
	// Through the pointer, the time is not copied to the heap.
	p := v.Addr()
	if c.typ != timeType {
		p = p.Convert(reflect.PointerTo(timeType))
	}
	return e.pack.EncodeTime(*p.Interface().(*time.Time))
}

func (c timeCoder) decode(d *decoder, v reflect.Value) error {
	t, err := d.time()
	if err == nil {
		v.Set(reflect.ValueOf(t).Convert(c.typ))
	}
	return err
}

// timestamp is the extension type that MessagePack has for instants.
const timestamp = -1

func (d *decoder) time() (time.Time, error) {
	c, err := d.peek()
	if err != nil {
		return time.Time{}, err
	}
	if !msgpcode.IsExt(c) {
		return time.Time{}, found(c, "a time")
	}
	start := d.off
	id, n, err := d.unpack.DecodeExtHeader()
	if err != nil || n < 0 || n > d.rest() {
		return time.Time{}, malformed("ends too soon")
	}
	if id != timestamp || n != 4 && n != 8 && n != 12 {
		return time.Time{}, malformed("found extension %d of %d bytes where a time should be", id, n)
	}
	d.off = start
	t, err := whole(d.unpack.DecodeTime())
	return t.UTC(), err
}
