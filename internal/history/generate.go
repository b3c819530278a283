package history

import (
	"math/rand/v2"
	"time"
)

// DefaultWorld has two servers, databases and caches with names that meet where
// keys are built of strings, and caches of every kind.
func DefaultWorld() World {
	return World{
		Servers:   2,
		Databases: []string{"a", "a:b"},
		Caches: []CacheSpec{
			{Name: "b:c", Table: 0, ContextFree: true},
			{Name: "c", Table: 0, Tagged: true, Absent: -1},
			{Name: "verified", Table: 0, ContextFree: true, Tagged: true, Verify: 0.2, Absent: time.Millisecond},
			{Name: "warm", Table: 1, ContextFree: true, Tagged: true, Warm: true},
			{Name: "warm user", Table: 1, Warm: true, Duration: time.Hour, Jitter: 0.1, Verify: 0.1},
			{Name: "leased", Table: 1, ContextFree: true, Lease: 5 * time.Millisecond, Verify: 0.2},
			{Name: "small", Table: 1, ContextFree: true, Warm: true, Size: 1},
			{Name: "short", Table: 2, Tagged: true, Duration: time.Millisecond, Size: 2},
			{Name: "early", Table: 2, ContextFree: true, Duration: 2 * time.Millisecond, Jitter: 0.5, StaleFor: time.Hour, Refresh: true, Lease: time.Millisecond},
		},
		Keys:   []string{"k", "c:k", ""},
		People: []Who{{}, {User: 1}, {User: "1"}, {User: 1, Lang: "fr"}},
		Open:   6,

		Goroutines: 3,
	}
}

// CrowdedWorld has one database, few caches and rows, and many transactions at once, some of
// them on replicas that are behind where there are such.
func CrowdedWorld() World {
	return World{
		Servers:   2,
		Databases: []string{"a"},
		Caches: []CacheSpec{
			{Name: "plain", ContextFree: true},
			{Name: "warm", ContextFree: true, Tagged: true, Warm: true, Absent: -1},
		},
		Keys:   []string{"k", "l", "m"},
		People: []Who{{}},
		Open:   10,
		Behind: 10,
	}
}

func (w World) withDefaults() World {
	d := DefaultWorld()
	if w.Servers == 0 {
		w.Servers = d.Servers
	}
	if w.Databases == nil {
		w.Databases = d.Databases
	}
	if w.Caches == nil {
		w.Caches = d.Caches
	}
	if w.Keys == nil {
		w.Keys = d.Keys
	}
	if w.People == nil {
		w.People = d.People
	}
	if w.Open == 0 {
		w.Open = d.Open
	}
	if w.Goroutines == 0 {
		w.Goroutines = d.Goroutines
	}
	return w
}

// Generate returns the history of that seed, of about length steps.
func Generate(seed uint64, world World, length int) History {
	g := &generator{
		Rand:  rand.New(rand.NewPCG(seed, 0x7c6)),
		world: world.withDefaults(),
		steps: make([]Step, 0, length+3), // the last may be more than one
	}
	for len(g.steps) < length {
		if len(g.world.Faults) > 0 && g.one(g.stepsAFault()) {
			g.last++
			g.steps = append(g.steps, Step{Tx: g.last, Do: Break, Fault: g.IntN(len(g.world.Faults))})
		}
		if len(g.open) == 0 || len(g.open) < g.world.Open && g.one(3) {
			g.begin()
			continue
		}
		i := g.IntN(len(g.open))
		if t := g.open[i]; !g.step(t) {
			g.open = append(g.open[:i], g.open[i+1:]...)
		}
	}
	return History{Seed: seed, World: g.world, Steps: g.steps}
}

// stepsAFault returns the mean number of steps to the next fault. A commit is
// when most depends on the servers.
func (g *generator) stepsAFault() int {
	if n := len(g.steps); n > 0 && g.steps[n-1].Do == Commit {
		return 4
	}
	return 60
}

type generator struct {
	*rand.Rand
	world World
	steps []Step
	open  []*outline
	last  int // number of the last transaction
}

// An outline is how a transaction that is being generated is going to be.
type outline struct {
	id       int
	readOnly bool
	writes   bool
	drops    bool
	last     Step
	depth    int         // of savepoints
	saver    int         // the goroutine that they are of
	sharers  int         // goroutines
	ender    int         // the goroutine that ends it
	loading  map[int]int // pauses to come of loaders, by goroutine
	left     int         // steps until it ends
	ending   bool
}

func (g *generator) one(in int) bool { return g.IntN(in) == 0 }

// low returns a number below n, more often a low one, so that transactions meet.
func (g *generator) low(n int) int { return min(g.IntN(n), g.IntN(n), g.IntN(n)) }

func (g *generator) begin() {
	g.last++
	t := &outline{id: g.last, left: 1 + g.IntN(12), sharers: 1}
	t.last = g.anywhere(t.id)
	s := Step{Tx: t.id, Do: Begin, Server: g.low(g.world.Servers), Database: g.low(len(g.world.Databases))}
	switch n := g.IntN(100); {
	case n == 0:
		s.Do = Drop
		t.drops, t.ending, t.left = true, true, 2
	case n < 50:
		t.readOnly = true
	default:
		t.writes = n < 63
	}
	if t.writes {
		t.left += 6
	}
	if !t.drops && g.world.Goroutines > 1 && g.one(4) {
		s.Shared, t.sharers, t.loading = true, 2+g.IntN(g.world.Goroutines-1), map[int]int{}
		t.writes = !t.readOnly && (t.writes || g.one(2))
		t.left += 5 * t.sharers
	}
	s.ReadOnly, s.Repeatable = t.readOnly, !g.one(3)
	if t.readOnly && g.world.Behind > 0 && g.one(4) {
		s.Behind = 1 + g.low(g.world.Behind)
	}
	g.steps = append(g.steps, s)
	g.open = append(g.open, t)
	if !t.drops && g.one(4) {
		g.steps = append(g.steps, Step{Tx: t.id, Do: Snapshot})
	}
}

// anywhere returns a step that is about some value.
func (g *generator) anywhere(tx int) Step {
	return Step{
		Tx:     tx,
		Cache:  g.IntN(len(g.world.Caches)),
		Key:    g.low(len(g.world.Keys)),
		Who:    g.low(len(g.world.People)),
		Client: g.low(3),
	}
}

// step adds a step of t; false if it was the last.
func (g *generator) step(t *outline) bool {
	s := g.anywhere(t.id)
	switch g.IntN(4) {
	case 0: // anywhere
	case 1:
		s.Cache = t.last.Cache
	default: // what it does next is likely to be about the same value
		s.Cache, s.Key, s.Who = t.last.Cache, t.last.Key, t.last.Who
	}
	s.Goroutine = g.goroutine(t)
	t.left--
	switch {
	case t.ending:
		if s.Do = Continue; g.one(2) {
			s.Goroutine = t.ender // the others may be loading still
		}
	case t.left < 0:
		g.end(t, &s)
	case t.loading[s.Goroutine] > 0: // what comes next would make it go on without a pause
		t.loading[s.Goroutine]--
		s.Do = Continue
	case t.depth > 0 && g.one(4):
		t.depth--
		s.Cache, s.Key, s.Who = t.last.Cache, t.last.Key, t.last.Who // for what comes next
		s.Do, s.Goroutine = Release, t.saver
		if !g.one(3) {
			s.Do, s.Panic = Undo, g.one(4)
		}
	case (t.last.Do == Write || t.last.Do == Undo) && g.one(2): // is it seen?
		s.Cache, s.Key, s.Who = t.last.Cache, t.last.Key, t.last.Who
		s.Do = Load
		if t.last.Do == Undo {
			s.Do = Get
		}
	default:
		g.middle(t, &s)
	}
	if s.Do == Continue {
		s.Cache, s.Key, s.Who = t.last.Cache, t.last.Key, t.last.Who
	} else if (s.Do == Load || s.Do == LoadMany) && t.sharers > 1 {
		t.loading[s.Goroutine] = 2
	}
	t.last = s
	g.steps = append(g.steps, s)
	return !t.ending || t.left > 0
}

// goroutine returns which one of t takes the next step. Others go on while one
// is loading.
func (g *generator) goroutine(t *outline) int {
	n := g.IntN(t.sharers)
	for range 2 {
		if t.loading[n] > 0 {
			n = g.IntN(t.sharers)
		}
	}
	return n
}

// weights say how often the steps in the middle of a transaction are what.
var weights = []weight{
	{Write, 0, 20},
	{Clear, 0, 4},
	{ClearAll, 0, 1},
	{Delete, 0, 4},
	{ClearTag, 0, 2},
	{Savepoint, 5, 15},
	{Snapshot, 4, 2},
	{Continue, 4, 4},
	{Fill, 12, 10},
	{GetMany, 16, 8},
	{Load, 28, 22},
	{LoadMany, 8, 6},
	{Get, 16, 18},
}

// troubles are those of loaders that are in one.
var troubles = []Trouble{Failing, Failing, Panicking, Slow, Slow, Slow, Cancelled, Leaving}

type weight struct {
	do             Action
	reader, writer int
}

func (w weight) of(t *outline) int {
	if t.writes {
		return w.writer
	}
	return w.reader
}

// middle makes s one in the middle of t.
func (g *generator) middle(t *outline, s *Step) {
	total := 0
	for _, w := range weights {
		total += w.of(t)
	}
	n := g.IntN(total)
	for _, w := range weights {
		if n -= w.of(t); n < 0 {
			s.Do = w.do
			break
		}
	}
	switch s.Do {
	case Write:
		s.ClearFirst, s.All, s.By, s.Gone = g.one(2), g.one(10), g.means(), g.one(8)
	case ClearTag:
		s.By = g.means()
	case Fill:
		s.Absent = g.one(4)
	case Load, LoadMany:
		s.Absent, s.All = g.one(4), g.one(3)
		if g.one(5) {
			s.Trouble = troubles[g.IntN(len(troubles))]
		}
	case Savepoint:
		if t.depth > 0 { // they nest in one goroutine
			s.Goroutine = t.saver
		}
		t.depth++
		t.saver = s.Goroutine
	}
}

// means returns one of the means, more often to delete keys.
func (g *generator) means() Means {
	return []Means{ByClear, ByDelete, ByDelete, ByRow, ByWrite}[g.IntN(5)]
}

// end makes s the one that ends t.
func (g *generator) end(t *outline, s *Step) {
	t.ending, t.left = true, 2
	s.Do, s.All, s.By = Commit, g.one(10), g.means()
	switch n := g.IntN(20); {
	case n < 2:
		s.Do, t.left = Rollback, 0
	case t.readOnly || n < 16:
	case n < 19 || !g.one(8): // few in doubt: their caches are bypassed for long
		s.Outcome = Fails
	default:
		s.Outcome = []Outcome{Ambiguous, Ambiguous, Panics, Lost}[g.IntN(4)]
	}
	t.ender = s.Goroutine
	t.left += 3 * (t.sharers - 1)
}
