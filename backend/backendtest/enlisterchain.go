package backendtest

import "github.com/seed-dad15c92/txcache/backend"

var chainRules = []EnlisterRule{{
	Name: "later-states-of-a-chain-show-more",
	Why:  "A value whose row has moved to another tag would be a hit of a snapshot from before, or outlive the clear of its tag.",
	run: func(t *enlisterTrial) {
		const commits = 8
		t.first.sync("shop")
		late := t.open("a process that comes late")
		var snapshots []*enlistedTx
		for i := range commits {
			tx := t.begin(oneSnapshot, true)
			t.first.state(tx, "shop")
			snapshots = append(snapshots, tx)
			f := fenceOn(t.first.seen("shop"))
			f.Keys = []backend.Keys{keys("", uint64(i)), keys("a", 1)}
			t.first.commits("shop", f)
			if i == commits/2 && t.Fold != nil {
				t.fold("shop")
			}
		}
		for _, p := range []*process{late, t.first} {
			states := make([]*backend.State, commits) // the one at i shows i commits, each of which has cleared the tag of its number
			for i := range states {
				at := (3*i + 2) % commits
				states[at] = p.state(snapshots[at], "shop")
			}
			for i, earlier := range states {
				for j, later := range states[i+1:] {
					t.ordered(p, earlier, later, i, i+1+j)
				}
			}
		}
	},
}}

// ordered checks the places of two states of one process in a chain, of which one shows the first i
// commits, and the other the first j.
func (t *enlisterTrial) ordered(p *process, earlier, later *backend.State, i, j int) {
	if earlier.Chain == 0 || earlier.Chain != later.Chain {
		return
	}
	if earlier.Step >= later.Step {
		t.failf("%s: a state that shows %d commits is at step %d of a chain, and one that shows %d at step %d", p.name, i, earlier.Step, j, later.Step)
	}
	for tag := i; tag < j; tag++ {
		if last, _ := later.TagSteps.Of("").Last(uint64(tag)); last <= earlier.Step || last > later.Step {
			t.failf("%s: tag %d was cleared between the steps %d and %d of a chain, and its step is %d", p.name, tag, earlier.Step, later.Step, last)
		}
	}
}
