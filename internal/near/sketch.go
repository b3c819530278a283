package near

// A sketch remembers about how often hashes were added to it lately: a
// count-min sketch with conservative update (Cormode and Muthukrishnan, 2005;
// Estan and Varghese, 2002) of four rows of 4-bit counters, all of which are
// halved from time to time. It takes twelve bytes for each of the size entries.
type sketch struct {
	rows   [4][]uint64 // sixteen counters a word
	added  int         // since the last halving, what that left included
	period int
}

const maxCount = 15

func newSketch(size int) sketch {
	words := max(1, size*5/13)
	s := sketch{period: 30 * (size + 1)}
	for i := range s.rows {
		s.rows[i] = make([]uint64, words)
	}
	return s
}

// multipliers make four hashes of one. They are odd, and not related.
var multipliers = [4]uint32{0x9e3779b1, 0x85ebca77, 0xc2b2ae3d, 0x27d4eb2f}

// place returns the word of row in which hash is counted, and the shift of its
// counter.
func (s *sketch) place(row int, hash uint32) (word *uint64, shift uint64) {
	words := s.rows[row]
	hash ^= hash >> 15
	i := uint64(hash*multipliers[row]) * uint64(16*len(words)) >> 32
	return &words[i/16], i % 16 * 4
}

// count returns how often hash was added, at most maxCount; never too little
// but for the halving, at times too much.
func (s *sketch) count(hash uint32) uint64 {
	n := uint64(maxCount)
	for row := range s.rows {
		word, shift := s.place(row, hash)
		n = min(n, *word>>shift&maxCount)
	}
	return n
}

// add counts hash n times.
func (s *sketch) add(hash, n uint32) {
	sum := min(s.count(hash)+uint64(n), maxCount)
	for row := range s.rows {
		word, shift := s.place(row, hash)
		if old := *word >> shift & maxCount; old < sum {
			*word += (sum - old) << shift
		}
	}
	if s.added += int(n); s.added >= s.period {
		s.halve()
	}
}

// halve divides every counter by two, so that what was wanted long ago counts
// less.
func (s *sketch) halve() {
	for _, words := range s.rows {
		for i := range words {
			words[i] = words[i] >> 1 & 0x7777_7777_7777_7777
		}
	}
	s.added /= 2
}

func (s *sketch) bytes() int { return 4 * 8 * len(s.rows[0]) }
