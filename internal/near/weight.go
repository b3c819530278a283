package near

import "math/bits"

// A weight is how many bytes the key and the value of an entry refer to, in the few bits that a table has
// for each slot: exact below 4096, and at most one in 2048 too low above.
type weight uint16

const (
	weightBits = 12
	mostWeight = (1<<weightBits - 1) << 30 // more counts as that
)

func weightOf(bytes int) weight {
	if bytes < 0 || bytes > mostWeight { // a negative sum has overflowed
		bytes = mostWeight
	}
	shift := max(0, bits.Len(uint(bytes))-weightBits)
	return weight(shift<<(weightBits-1) + bytes>>shift)
}

func (w weight) bytes() int {
	shift := max(0, int(w>>(weightBits-1))-1)
	return (int(w) - shift<<(weightBits-1)) << shift
}

func (t *table[K, V]) weight(slot int) weight {
	if t.weights == nil {
		return 0
	}
	return (*t.weights)[slot]
}

// setWeight sets the weight of what is in a slot.
func (t *table[K, V]) setWeight(slot int, w weight) {
	if t.weights == nil {
		if w == 0 {
			return
		}
		all := make([]weight, t.slots())
		t.weights = &all
	}
	(*t.weights)[slot] = w
}
