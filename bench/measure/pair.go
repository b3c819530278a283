package measure

import "context"

// A Pair is a comparison of two sides that do the same work.
type Pair struct {
	Section    string // the heading it belongs to
	Name       string // what is done, once for each operation
	Goroutines int    // that do it at the same time; 0: one
	Unit       Unit   // of what is measured; the zero value is nanoseconds
	Rounds     int    // at most so many, for what takes long; 0: no limit
	Subject    Side
	Peer       Side
	Bars       []Bar // what the subject is to reach
}

// A Unit is what a side is measured in.
type Unit string

// The units of an operation.
const (
	Nanoseconds Unit = ""
	Bytes       Unit = "B"
)

func (u Unit) String() string {
	if u == Nanoseconds {
		return "ns"
	}
	return string(u)
}

// A Side is one of two things that are compared.
type Side struct {
	Name string

	// Open makes what is measured, fills it, and checks that it returns what
	// was put into it: an error if it does not. Whoever calls it closes the Work.
	Open func(ctx context.Context) (*Work, error)
}

// A Work is an open side. Either Run or Sample is set.
type Work struct {
	// Run does the work n times as the worker of that number, counted from 0.
	// Workers run at the same time. It returns a number that depends on all
	// that was read, so that no compiler can leave the reading out.
	Run func(worker, n int) (sum uint64, err error)

	// Sample measures once by itself, and returns the outcome in the pair's
	// unit for one operation. It is for work that needs preparation which is not
	// to be measured.
	Sample func() (float64, error)

	// Figures, if not nil, returns further figures, by name, when all rounds
	// are over.
	Figures func() map[string]float64

	// Close, if not nil, releases what Open made.
	Close func()
}

func (w *Work) close() {
	if w.Close != nil {
		w.Close()
	}
}
