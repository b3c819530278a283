package codec_test

import (
	"encoding/hex"
	"net/url"
	"testing"
	"time"

	"github.com/seed-dad15c92/txcache/internal/codec"
)

// What is written today is read tomorrow by another version of the program. If
// one of these changes, the byte of format or the schema of the type must.
func TestTheFormIsStable(t *testing.T) {
	at := time.Unix(1700000000, 5).UTC()
	for _, c := range []check{
		form(1, "01"), form(-300, "d1fed4"), form(uint16(65535), "cdffff"), form(true, "c3"), form("é", "a2c3a9"),
		form([]byte{1}, "c40101"), form([]byte(nil), "c0"), form([2]byte{1, 2}, "c4020102"), form(float32(1), "ca3f800000"), form(1.0, "cb3ff0000000000000"),
		form(complex64(1i), "92cb0000000000000000cb3ff0000000000000"), form(at, "d7ff000000146553f100"),
		form(point{1, -1}, "9201ff"), form([]string{"a"}, "91a161"), form(map[string]int{"b": 1, "a": 2}, "82a16102a16201"),
		form(ptr(1), "01"), form(ptr(ptr(1)), "9101"), form(struct{}{}, "90"), form(*refBig, "91c4020201"), form(trouble{"x"}, "c40178"), form(celsius{1}, "a2c2b0"), form(sealed{1}, "91a131"),
		form(url.UserPassword("a", "b"), "93a161a162c3"), form(at.In(time.FixedZone("X", 3600)), "c7135a000000006553f1000000000500000e10000158"),
		form[any](nil, "c0"), form[any](false, "9200c2"), form[any](1, "920101"), form[any](int8(1), "920201"), form[any](int16(1), "920301"),
		form[any](int32(1), "920401"), form[any](int64(1), "920501"), form[any](uint(1), "920601"), form[any](uint8(1), "920701"),
		form[any](uint16(1), "920801"), form[any](uint32(1), "920901"), form[any](uint64(1), "920a01"), form[any](uintptr(1), "920b01"),
		form[any](float32(1), "920cca3f800000"), form[any](1.0, "920dcb3ff0000000000000"), form[any](complex64(0), "920e92cb0000000000000000cb0000000000000000"),
		form[any](complex128(0), "920f92cb0000000000000000cb0000000000000000"), form[any]("a", "9210a161"), form[any]([]byte{1}, "9211c40101"),
		form[any](at, "9212d7ff000000146553f100"), form[any](time.Duration(1), "921301"), form[any](struct{}{}, "921490"), form[any]([]any{}, "923590"),
		form[any](map[string]any{}, "925580"), form[any](map[int]any{}, "927580"), form[any](map[int64]any{}, "92cc9580"), form[any](map[any]any{}, "92ccb580"),
		form[any]([][]any{}, "92ccd590"), form[any](map[string][]any{}, "92ccf580"), form[any]([]map[string]any{}, "92cd011590"),
		form[any](map[string]map[string]any{}, "92cd013580"), form[any]([][]byte{}, "923190"), form[any]([][][]byte{}, "92ccd190"),
	} {
		t.Run(c.name, c.run)
	}
}

// form checks that v is encoded as the given bytes, after a header with an expiry.
func form[V any](v V, want string) check {
	return check{want, func(t *testing.T) {
		data, err := codec.New[V]().Append(nil, v, time.Unix(1, 2))
		if got := hex.EncodeToString(data); err != nil || got != "c182000000003b9aca020000000000000000"+want {
			t.Errorf("%#v is encoded as %s, %v", v, got, err)
		}
	}}
}
