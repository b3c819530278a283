package backend

import (
	"cmp"
	"slices"
)

// A State is what the generations of all caches of one database were at one
// moment. Nobody may change it, not even the Backend that made it: all transactions
// that began with it share it.
type State struct {
	// Version orders the States of one database that one Backend returned:
	// the higher is the newer, and equal ones are the same. It means nothing
	// between Backends or processes.
	Version uint64

	// Number counts the changes of the database that the authority has seen, from 1, for
	// everybody in the same way: of two States of an epoch that anybody was given, the
	// one with the higher number shows every generation and delete that the other
	// shows, and two with the same number show the same ones. The change that
	// starts a generation, and the one that deletes a key, have a number above that of
	// every State that does not show them. Changes of fences may count or not, and
	// numbers may be left out. A backend that does not count says 0, always; it
	// gets fences and clears of whole caches in place of deletes.
	Number uint64

	// Epoch changes when the database was dropped, or when what was known of
	// its generations was lost. A transaction of another epoch belongs to a
	// database that is no more.
	Epoch Token

	// Base is the token of every cache that is not in Caches. It changes with
	// the epoch and when all caches are cleared.
	Base Token

	// Caches are the caches that have been cleared by name since, sorted by
	// name, each with the token of its generation.
	Caches []Generation

	// Fenced are the names of the caches on which at least one fence stands,
	// sorted and without duplicates.
	Fenced []string

	// AllFenced says that a fence stands on every cache.
	AllFenced bool

	// Deletes are the deletes since the caches were cleared, or more of them: no value
	// of a generation is older than the clear that has started it. Their numbers are
	// not above Number. A clear leaves, of the deletes before it, at least the number of
	// the last one as the floor of its cache, and one of all caches that of the tags
	// too: a transaction that began before a delete and clears the cache must learn
	// that what it has read may be older.
	Deletes *Deletes

	// Sums are the sums of deleted keys in the State of an Enlister, which has no
	// Deletes; nil in every other.
	Sums *Sums

	// Chain and Step order some States of an Enlister: of two with the same Chain, which is not
	// 0, the one with the higher Step shows every clear and delete that the other shows. A
	// Chain means nothing between Backends. A State that the Backend cannot order has
	// none: a cleared tag then takes away all values that bear tags, and not only those that
	// bear it.
	Chain, Step uint64

	// TagSteps are, in a State with a Chain, the clears of tags in the Chain: the number
	// of each is the Step of the first State that shows it.
	TagSteps *Deletes

	// FencedKeys are the keys, and tags, on which at least one fence stands, in any
	// order and as often as there are fences. The hashes of each Keys are sorted.
	FencedKeys []Keys
}

// A Generation is one cache at one token.
type Generation struct {
	Cache string
	Token Token
}

// Token returns the token of the generation that cache is at.
func (s *State) Token(cache string) Token {
	if i, ok := slices.BinarySearchFunc(s.Caches, cache, compareName); ok {
		return s.Caches[i].Token
	}
	return s.Base
}

// IsFenced reports whether a fence stands on cache.
func (s *State) IsFenced(cache string) bool {
	if s.AllFenced {
		return true
	}
	_, ok := slices.BinarySearch(s.Fenced, cache)
	return ok
}

func compareName(g Generation, cache string) int { return cmp.Compare(g.Cache, cache) }

// Put makes changed the generations of their caches; changed is sorted by name. It is
// for a Backend that makes a State of a copy of another one. The slice that the two
// share stays as it is.
func (s *State) Put(changed []Generation) {
	old, merged := s.Caches, make([]Generation, 0, len(s.Caches)+len(changed))
	for _, g := range changed {
		i, found := slices.BinarySearchFunc(old, g.Cache, compareName)
		merged = append(append(merged, old[:i]...), g)
		if found {
			i++
		}
		old = old[i:]
	}
	s.Caches = append(merged, old...)
}
