package inspect

import (
	"slices"
	"time"
)

// A Checkup is how a server does what a Backend asks of it.
type Checkup struct {
	Server string // its software and version, as far as it tells
	Role   string // "master", or what it is else; "" if it does not tell
	Policy string // what it does when its memory is full; "" if it does not tell
	// MaxMemory is the limit of its memory in bytes: 0 is none, -1 is not known.
	MaxMemory int64
	Ping      time.Duration // the median of a few round trips
	Steps     []Step
}

// A Step is something that a Backend needs of its server.
type Step struct {
	Name     string // such as "fence a cache"
	Optional bool   // a service works without it
	Took     time.Duration
	Err      error // nil if it was done
}

// Refused returns the steps that failed and are not optional.
func (c *Checkup) Refused() []Step {
	return slices.DeleteFunc(slices.Clone(c.Steps), func(s Step) bool { return s.Err == nil || s.Optional })
}
