package codec_test

import (
	"math/big"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// FuzzDecode gives the same bytes to every kind of codec: no panic, no memory
// out of proportion, and what is taken for a value is one.
func FuzzDecode(f *testing.F) {
	all := samples(f)
	for _, s := range all {
		f.Add(s.data)
	}
	f.Add([]byte(header + "\xdf\xff\xff\xff\xff"))
	f.Add([]byte(header + "\x81\x92\x35\x90\xc0"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, s := range all {
			// Once more for what is taken, as that is encoded and decoded again.
			n := allocated(func() { s.decode(t, data) })
			if limit := 4 * mayAllocate(len(data)); n > limit {
				t.Errorf("%s: %d bytes allocated for %d", s.name, n, len(data))
			}
		}
	})
}

func FuzzRoundTrip(f *testing.F) { f.Fuzz(rapid.MakeFuzz(roundTrip)) }

func TestRandomValuesComeBackAsTheyWere(t *testing.T) { rapid.Check(t, roundTrip) }

func roundTrip(t *rapid.T) {
	rec := genRecord.Draw(t, "record")
	if got := trip(t, rec); !reflect.DeepEqual(got, rec) {
		t.Fatalf("%#v came back as %#v", rec, got)
	}
	tree := genNode.Draw(t, "tree")
	if got := trip(t, tree); !reflect.DeepEqual(got, tree) {
		t.Fatalf("%#v came back as %#v", tree, got)
	}
	anything := genAny(3).Draw(t, "any")
	if got := trip(t, anything); !reflect.DeepEqual(got, anything) {
		t.Fatalf("%#v came back as %#v", anything, got)
	}
}

var (
	genTime = rapid.Custom(func(t *rapid.T) time.Time {
		return time.Unix(rapid.Int64Range(-1<<36, 1<<36).Draw(t, "s"), rapid.Int64Range(0, 999999999).Draw(t, "ns")).UTC()
	})

	genPoint = rapid.Custom(func(t *rapid.T) point { return point{rapid.Int16().Draw(t, "X"), rapid.Int16().Draw(t, "Y")} })

	genText = rapid.Map(genBytes, func(b []byte) string { return string(b) })

	genBytes = rapid.SliceOf(rapid.Byte())

	genRecord = rapid.Custom(func(t *rapid.T) record {
		r := record{
			base:   base{rapid.Int().Draw(t, "ID"), rapid.Ptr(genText, true).Draw(t, "Note")},
			Status: status(rapid.Uint8().Draw(t, "Status")),
			Price:  cents(rapid.Int64().Draw(t, "Price")),
			Grid:   [2][3]float32{{rapid.Float32().Draw(t, "Grid")}},
			Raw:    orNil(genBytes).Draw(t, "Raw"),
			Index:  orNilMap(rapid.MapOf(genText, orNilMap(rapid.MapOf(rapid.Int(), genPoint)))).Draw(t, "Index"),
			Any:    genAny(2).Draw(t, "Any"),
			Ref:    big.NewRat(rapid.Int64Min(1).Draw(t, "num"), rapid.Int64Min(1).Draw(t, "denom")),
			Addr:   netip.AddrFrom4([4]byte{1, 2, 3, rapid.Byte().Draw(t, "Addr")}),
			Wait:   time.Duration(rapid.Int64().Draw(t, "Wait")),
		}
		if rapid.Bool().Draw(t, "audited") {
			r.Audited = &Audited{genText.Draw(t, "By"), genTime.Draw(t, "At")}
		}
		copy(r.Hash[:], rapid.SliceOfN(rapid.Byte(), 4, 4).Draw(t, "Hash"))
		return r
	})

	genNode = rapid.Custom(func(t *rapid.T) *node { return drawNode(t, 4) })
)

func drawNode(t *rapid.T, depth int) *node {
	if depth == 0 || rapid.IntRange(0, 3).Draw(t, "nil") == 0 {
		return nil
	}
	n := &node{Value: genText.Draw(t, "Value"), Left: drawNode(t, depth-1), Right: drawNode(t, depth-1)}
	for range rapid.IntRange(0, 2).Draw(t, "children") {
		if n.Children == nil {
			n.Children = map[point][]*node{}
		}
		n.Children[genPoint.Draw(t, "at")] = []*node{drawNode(t, depth-2+depth%2)}
	}
	return n
}

func orNil[E any](g *rapid.Generator[[]E]) *rapid.Generator[[]E] {
	return rapid.OneOf(rapid.Just([]E(nil)), g)
}

func orNilMap[K comparable, E any](g *rapid.Generator[map[K]E]) *rapid.Generator[map[K]E] {
	return rapid.OneOf(rapid.Just(map[K]E(nil)), g)
}

func boxed[T any](g *rapid.Generator[T]) *rapid.Generator[any] {
	return rapid.Map(g, func(v T) any { return v })
}

// genAny makes what an interface may hold, and what may be a key of it.
func genAny(depth int) *rapid.Generator[any] {
	scalars := []*rapid.Generator[any]{
		rapid.Just[any](nil), boxed(rapid.Bool()),
		boxed(rapid.Int()), boxed(rapid.Int8()), boxed(rapid.Int16()), boxed(rapid.Int32()), boxed(rapid.Int64()),
		boxed(rapid.Uint()), boxed(rapid.Uint8()), boxed(rapid.Uint16()), boxed(rapid.Uint32()), boxed(rapid.Uint64()),
		boxed(rapid.Float32()), boxed(rapid.Float64()), boxed(genText), boxed(genTime),
	}
	if depth == 0 {
		return rapid.OneOf(scalars...)
	}
	inner, key := genAny(depth-1), rapid.OneOf(scalars...)
	return rapid.OneOf(append(scalars,
		boxed(orNil(genBytes)), boxed(orNil(rapid.SliceOf(genText))), boxed(orNil(rapid.SliceOf(rapid.Int()))),
		boxed(orNil(rapid.SliceOfN(inner, 0, 4))), boxed(orNilMap(rapid.MapOfN(genText, inner, 0, 4))), boxed(orNilMap(rapid.MapOfN(key, inner, 0, 4))),
		boxed(orNilMap(rapid.MapOfN(genText, rapid.SliceOf(rapid.Float64()), 0, 4))),
	)...)
}
