package redisbackend

import (
	"context"
	"sync"
	"sync/atomic"
)

// links are the links of a Backend: one, or in a cluster one for each master,
// so that a master that is away does not take the others along.
type links struct {
	b     *Backend
	first link

	ready  atomic.Bool // the cluster has told its slots
	others sync.Map    // of address to *link
}

func (ls *links) init(b *Backend) {
	ls.b = b
	ls.first.b = b
}

// of returns the link to the server that has key.
func (ls *links) of(key string) *link {
	if ls.b.cluster == nil || !ls.ready.Load() {
		return &ls.first
	}
	// This answers from memory once the slots are known.
	node, err := ls.b.cluster.MasterForKey(context.Background(), key)
	if err != nil {
		return &ls.first
	}
	addr := node.Options().Addr
	if l, ok := ls.others.Load(addr); ok {
		return l.(*link)
	}
	l, _ := ls.others.LoadOrStore(addr, &link{b: ls.b})
	return l.(*link)
}
