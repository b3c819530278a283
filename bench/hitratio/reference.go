package hitratio

import "container/list"

// sieve is SIEVE (Zhang et al., "SIEVE is Simpler than LRU", NSDI 2024).
type sieve struct {
	size  int
	queue *list.List // of *node, the newest in front
	hand  *list.Element
	at    map[uint64]*list.Element
}

type node struct {
	key  uint64
	uses int
}

func (c *sieve) access(key uint64) bool {
	if e := c.at[key]; e != nil {
		e.Value.(*node).uses = 1
		return true
	}
	if c.queue.Len() == c.size {
		c.evict()
	}
	c.at[key] = c.queue.PushFront(&node{key: key})
	return false
}

func (c *sieve) evict() {
	hand := c.hand
	for {
		if hand == nil {
			hand = c.queue.Back()
		}
		n := hand.Value.(*node)
		if n.uses == 0 {
			c.hand = hand.Prev()
			c.queue.Remove(hand)
			delete(c.at, n.key)
			return
		}
		n.uses = 0
		hand = hand.Prev()
	}
}

// s3fifo is S3-FIFO (Yang et al., "FIFO Queues are All You Need for Cache
// Eviction", SOSP 2023) with the paper's parameters: a tenth for the small
// queue, as many ghosts as the main queue has entries.
type s3fifo struct {
	size, smallSize, ghostSize int
	small, main                []*node
	at                         map[uint64]*node
	ghosts                     []uint64
	isGhost                    map[uint64]int
}

func newS3FIFO(size int) *s3fifo {
	small := max(1, size/10)
	return &s3fifo{size: size, smallSize: small, ghostSize: size - small, at: map[uint64]*node{}, isGhost: map[uint64]int{}}
}

func (c *s3fifo) access(key uint64) bool {
	if n := c.at[key]; n != nil {
		n.uses = min(n.uses+1, 3)
		return true
	}
	for len(c.at) >= c.size {
		if len(c.small) > c.smallSize || len(c.main) == 0 {
			c.evictSmall()
		} else {
			c.evictMain()
		}
	}
	n := &node{key: key}
	c.at[key] = n
	if c.isGhost[key] > 0 {
		c.main = append(c.main, n)
	} else {
		c.small = append(c.small, n)
	}
	return false
}

func (c *s3fifo) evictSmall() {
	n := c.small[0]
	c.small = c.small[1:]
	if n.uses > 0 && c.size > 1 {
		n.uses = 0
		c.main = append(c.main, n)
		return
	}
	delete(c.at, n.key)
	c.ghosts = append(c.ghosts, n.key)
	c.isGhost[n.key]++
	if len(c.ghosts) > c.ghostSize {
		oldest := c.ghosts[0]
		c.ghosts = c.ghosts[1:]
		if c.isGhost[oldest]--; c.isGhost[oldest] == 0 {
			delete(c.isGhost, oldest)
		}
	}
}

func (c *s3fifo) evictMain() {
	n := c.main[0]
	c.main = c.main[1:]
	if n.uses > 0 {
		n.uses--
		c.main = append(c.main, n)
		return
	}
	delete(c.at, n.key)
}
