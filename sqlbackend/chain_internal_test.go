package sqlbackend

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/seed-dad15c92/txcache/backend"
)

// A shown is a table as a snapshot has it, and the tokens of the transactions that it shows.
type shown struct {
	rows  []storedRow
	shows map[int64]bool
}

// Two states of one chain are what they say: the later one shows all that the earlier one shows, and
// each tag that was cleared between them has a step of between them. Most states are in a chain.
func TestLaterStatesOfAChainShowMore(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	tags := []uint64{1, 2, 3, 4, 5, 6}
	cleared := map[int64][]uint64{} // tags by transaction
	now := shown{shows: map[int64]bool{}}
	var id int64
	insert := func(clears string, tags ...uint64) {
		id++
		r := row{token: random.Int64N(1 << 62), n: 1, clears: clears}
		shows := map[int64]bool{r.token: true}
		for token := range now.shows {
			shows[token] = true
		}
		cleared[r.token] = tags
		now = shown{append(slices.Clone(now.rows), storedRow{&r, id}), shows}
	}
	insert(`[""]`)
	fold := func(all bool) {
		copies := make([]storedRow, len(now.rows))
		for i, r := range now.rows {
			copies[i] = storedRow{&row{token: r.token, n: r.n, clears: r.clears}, r.id}
		}
		gone, whole, token := choose(copies, all)
		if len(gone) < 2 {
			return
		}
		sum, ids := sum{}, map[int64]bool{}
		for _, r := range gone {
			sum, ids[r.id] = sum.plus(r.sum()), true
		}
		if token == 0 {
			token = sum.numbers
		}
		left := slices.DeleteFunc(slices.Clone(now.rows), func(r storedRow) bool { return ids[r.id] })
		packed := storedRow{&row{token: int64(token), n: int64(sum.n), clears: whole.pack()}, gone[0].id}
		now = shown{append([]storedRow{packed}, left...), now.shows}
	}
	type seen struct {
		state *backend.State
		shows map[int64]bool
	}
	var past []shown
	processes := make([]*tenant, 3)
	views := make([][]seen, len(processes))
	for i := range processes {
		processes[i] = &tenant{column: "shop"}
	}
	looks, ordered, restores := 0, 0, 0
	begun := map[uint64]bool{}
	for step := range 3000 {
		switch n := random.IntN(100); {
		case n < 60:
			some := tags[:1+random.IntN(2)]
			if i := random.IntN(len(tags)); random.IntN(3) > 0 {
				some = tags[i : i+1]
			}
			insert(clearsOf(backend.Fence{Keys: []backend.Keys{{Hashes: some}}}), some...)
		case n < 63:
			insert(`["a"]`)
		case n == 63 && len(past) > 0 && random.IntN(4) == 0: // a restore
			now, restores = past[random.IntN(len(past))], restores+1
		case n < 68:
			past = append(past, now)
			past = past[max(0, len(past)-10):]
		case n < 70:
			fold(random.IntN(4) == 0)
		default:
			i := random.IntN(len(processes))
			at := now
			if len(past) > 0 && random.IntN(8) == 0 {
				at = past[random.IntN(len(past))]
			}
			fold(false)
			var table fakeTable
			for _, r := range at.rows {
				table = append(table, row{token: r.token, n: r.n, clears: r.clears})
			}
			v, err := processes[i].viewOf(t, table)
			if err != nil {
				t.Fatal(err)
			}
			looks++
			if v.state.Chain != 0 {
				ordered++
				begun[v.state.Chain] = true
			}
			for _, old := range views[i] {
				a, b := old, seen{v.state, at.shows}
				if a.state.Step > b.state.Step {
					a, b = b, a
				}
				if a.state.Chain == 0 || a.state.Chain != b.state.Chain {
					continue
				}
				for token := range a.shows {
					if !b.shows[token] {
						t.Fatalf("at step %d the state at step %d of chain %d does not show all that the one at %d shows", step, b.state.Step, b.state.Chain, a.state.Step)
					}
				}
				for token := range b.shows {
					for _, tag := range cleared[token] {
						if last, _ := b.state.TagSteps.Of("").Last(tag); !a.shows[token] && (last <= a.state.Step || last > b.state.Step) {
							t.Fatalf("tag %d was cleared between the steps %d and %d of chain %d, and its step is %d", tag, a.state.Step, b.state.Step, b.state.Chain, last)
						}
					}
				}
			}
			views[i] = append(views[i], seen{v.state, at.shows})
			views[i] = views[i][max(0, len(views[i])-20):]
		}
	}
	t.Logf("%d looks, %d of them in one of %d chains; %d restores", looks, ordered, len(begun), restores)
	if most := len(processes) * (2 + 3*restores); ordered < looks/2 || len(begun) > most {
		t.Errorf("%d states of %d are in a chain, and there are %d chains, want at most %d", ordered, looks, len(begun), most)
	}
}

// A fold that forgets may have folded clears that the process has not seen.
func TestClearsThatWereForgottenAtOnce(t *testing.T) {
	n := &tenant{column: "shop"}
	epoch := clearRow(`[""]`)
	before, err := n.viewOf(t, fakeTable{epoch})
	if err != nil {
		t.Fatal(err)
	}
	f := backend.Fence{ID: backend.NewToken(), Keys: []backend.Keys{{}, {Cache: "a"}}}
	for i := range backend.MaxDeletes + 10 {
		f.Keys[1].Hashes = append(f.Keys[1].Hashes, uint64(i))
		f.Keys[0].Hashes = append(f.Keys[0].Hashes, uint64(i))
	}
	unseen := row{token: int64(f.ID.Number()), n: 1, clears: clearsOf(f)}
	gone, whole, token := choose([]storedRow{{&epoch, 1}, {&unseen, 2}}, false)
	if len(gone) != 2 || token == 0 {
		t.Fatalf("%d rows are folded, with the token %d", len(gone), token)
	}
	after, err := n.viewOf(t, fakeTable{{token: int64(token), n: 2, clears: whole.pack()}})
	if err != nil {
		t.Fatal(err)
	}
	if a, b := before.state, after.state; a.Chain == 0 || a.Chain != b.Chain || a.Step >= b.Step {
		t.Fatalf("the states are at step %d of chain %d and %d of %d", a.Step, a.Chain, b.Step, b.Chain)
	}
	for _, tag := range f.Keys[0].Hashes {
		if last, _ := after.state.TagSteps.Of("").Last(tag); last != after.state.Step {
			t.Fatalf("tag %d, which was cleared, has the step %d, want %d", tag, last, after.state.Step)
		}
	}
}

// Rows of other programs may have tokens that are not random: two of them may be the same.
func TestRowsWithSmallTokensAreNotNamed(t *testing.T) {
	n := &tenant{column: "shop"}
	epoch, known := clearRow(`[""]`), row{token: 7, n: 1, clears: `["a"]`}
	before, err := n.viewOf(t, fakeTable{epoch, known})
	if err != nil {
		t.Fatal(err)
	}
	other := row{token: 7, n: 1, clears: `["b"]`}
	late := clearRow(`["c"]`)
	_, whole, _ := choose([]storedRow{{&row{token: epoch.token, n: 1, clears: epoch.clears}, 1}, {&other, 2}, {&late, 3}}, true)
	after, err := n.viewOf(t, fakeTable{{token: (epoch.token + 7 + late.token) & mask, n: 3, clears: whole.pack()}})
	if err != nil {
		t.Fatal(err)
	}
	if before.state.Chain == after.state.Chain {
		t.Error("a state is in the chain of another one whose row it does not show")
	}
}
