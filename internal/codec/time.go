package codec

import (
	"encoding/binary"
	"reflect"
	"time"

	"github.com/vmihailenco/msgpack/v5/msgpcode"
)

var timeType = reflect.TypeFor[time.Time]()

// A timeCoder takes time.Time and types defined as it.
type timeCoder struct{ typ reflect.Type }

func (c timeCoder) encode(e *encoder, v reflect.Value) error {
	if !v.CanAddr() {
		return e.time(v.Convert(timeType).Interface().(time.Time))
	}
	// Through the pointer, the time is not copied to the heap.
	p := v.Addr()
	if c.typ != timeType {
		p = p.Convert(reflect.PointerTo(timeType))
	}
	return e.time(*p.Interface().(*time.Time))
}

func (c timeCoder) decode(d *decoder, v reflect.Value) error {
	t, err := d.time()
	if err == nil {
		v.Set(reflect.ValueOf(t).Convert(c.typ))
	}
	return err
}

const (
	// timestamp is the extension type that MessagePack has for instants.
	timestamp = -1

	// zonedTime is our extension type for times outside of UTC: seconds since
	// 1970 in eight bytes, nanoseconds and offset in four each, the length of the
	// zone's abbreviation in two, the abbreviation and the name of the location.
	zonedTime = 'Z'

	zonedSize = 8 + 4 + 4 + 2 // at least
)

func (e *encoder) time(t time.Time) error {
	loc := t.Location()
	if loc == time.UTC || e.instants {
		return e.pack.EncodeTime(t)
	}
	if e.keys > 0 {
		// Go takes a time in another location of the same name for another key.
		return unsupported("a map key is a time outside of UTC")
	}
	zone, offset := t.Zone()
	name := locationName(t, loc, zone)
	if int(int32(offset)) != offset || int(uint16(len(zone))) != len(zone) {
		return unsupported("a time has a zone that is out of range")
	}
	if err := e.pack.EncodeExtHeader(zonedTime, zonedSize+len(zone)+len(name)); err != nil {
		return err
	}
	var b [zonedSize]byte
	binary.BigEndian.PutUint64(b[:], uint64(t.Unix()))
	binary.BigEndian.PutUint32(b[8:], uint32(t.Nanosecond()))
	binary.BigEndian.PutUint32(b[12:], uint32(int32(offset)))
	binary.BigEndian.PutUint16(b[16:], uint16(len(zone)))
	if _, err := e.Write(b[:]); err != nil {
		return err
	}
	if _, err := e.WriteString(zone); err != nil {
		return err
	}
	_, err := e.WriteString(name)
	return err
}

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
	if id == zonedTime {
		data := d.data[d.off : d.off+n]
		d.off += n
		t, ok := ZonedTime(id, data)
		if !ok {
			return time.Time{}, malformed("found a time of %d bytes that is none", n)
		}
		return t, nil
	}
	if id != timestamp || n != 4 && n != 8 && n != 12 {
		return time.Time{}, malformed("found extension %d of %d bytes where a time should be", id, n)
	}
	d.off = start
	t, err := whole(d.unpack.DecodeTime())
	return t.UTC(), err
}

// ZonedTime returns the time that an extension object of MessagePack stands for,
// if it is a time outside of UTC as Append encodes it.
func ZonedTime(id int8, data []byte) (t time.Time, ok bool) {
	if id != zonedTime || len(data) < zonedSize {
		return t, false
	}
	seconds := int64(binary.BigEndian.Uint64(data))
	nanoseconds := binary.BigEndian.Uint32(data[8:])
	offset := int32(binary.BigEndian.Uint32(data[12:]))
	text, n := data[zonedSize:], int(binary.BigEndian.Uint16(data[16:]))
	if nanoseconds >= 1e9 || n > len(text) {
		return t, false
	}
	return locate(time.Unix(seconds, int64(nanoseconds)), text[:n], int(offset), text[n:]), true
}
