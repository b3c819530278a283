package redisbackend

import (
	"context"
	"sync"
	"sync/atomic"
)

// links are the links of a Backend: one, or in a cluster one for each master,
// so that a master that is away does not take the others along. Each is that
// of begins, fences and clears, and has links of values beside it.
type links struct {
	b     *Backend
	first link

	ready  atomic.Bool // the cluster has told its slots
	others sync.Map    // of address to *link
}

// maxQueuedParts is how many requests may wait on a link of parts. More would wait
// for longer than the time limit of a call, and hold memory for it.
const maxQueuedParts = 500

func (ls *links) init(b *Backend) {
	ls.b = b
	ls.first.init(b)
}

// init makes l a link of control, with the links of values that belong to it.
// They have connections and breakers of their own: no value, nor its absence, may
// keep a fence from the server. // P7, P8
func (l *link) init(b *Backend) {
	l.b, l.control, l.maxInFlight, l.maxBytes = b, l, maxInFlight, batchBytes
	l.values = &link{b: b, control: l, maxInFlight: maxInFlight, maxBytes: batchBytes}
	l.parts = &link{b: b, control: l, maxInFlight: 1, maxQueued: maxQueuedParts, maxBytes: partSize}
}

// of returns the link of control to the server that has key.
func (ls *links) of(key string) *link {
	if ls.b.cluster == nil || !ls.ready.Load() {
		return &ls.first
	}
	// This answers from memory once the cluster has told its slots.
	node, err := ls.b.cluster.MasterForKey(context.Background(), key)
	if err != nil {
		return &ls.first
	}
	addr := node.Options().Addr
	if l, ok := ls.others.Load(addr); ok {
		return l.(*link)
	}
	made := &link{}
	made.init(ls.b)
	l, _ := ls.others.LoadOrStore(addr, made)
	return l.(*link)
}
