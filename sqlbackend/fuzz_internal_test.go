package sqlbackend

import (
	"testing"
)

// Whatever is in a row, it is read or refused; and what was read is packed as what is read again.
func FuzzContentOfARow(f *testing.F) {
	for _, s := range []string{
		`["users","orders"]`, `[""]`, `[{"users":["00000000000000ff"]},"x"]`, `[{"":["0123456789abcdef"]}]`,
		`{"":[3,4,{},{},[1,2,-9223372036854775808]],"users":[1,2,{"00000000000000ff":3},{"7":9}]}`, `{"a":[1,2],"a":[3,4]}`,
		`null`, ``, ` {}`, `{"a":null}`, `[null]`, `[[[[[[]]]]]]`, `{"":[1,2,{},{},{}]}`, `{"":[1,2,{},{},["1"]]}`, `["\ud800"]`,
	} {
		f.Add(s, int64(1), int64(5))
		f.Add(s, int64(-1), int64(1)<<62)
	}
	f.Fuzz(func(t *testing.T, clears string, n, token int64) {
		r := &row{token: token, n: n, clears: clears}
		c, err := r.content()
		if err != nil {
			return
		}
		text := c.pack()
		again, err := parseSums(text)
		if err != nil {
			t.Fatalf("%q is packed as %q: %v", clears, text, err)
		}
		if second := again.pack(); second != text {
			t.Fatalf("%q is packed as %q, and then as %q", clears, text, second)
		}
		other := &row{token: token ^ 77<<41, n: 1, clears: `["z"]`}
		n1 := &tenant{}
		n1.view([]*row{r})
		n1.view([]*row{{token: token, n: n, clears: clears}, other})
		n1.view([]*row{other})
		gone, whole, id := choose([]storedRow{{r, 1}, {other, 2}}, true)
		_, _, _ = gone, whole, id
	})
}
