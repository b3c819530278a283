package loading

import (
	"context"
	"sync"
	"time"
)

// tasks are the goroutines of a store in the background.
type tasks struct {
	ctx  context.Context // of all of them
	stop context.CancelFunc

	mu      sync.Mutex
	running int
	closing bool
	idle    chan struct{} // while closing, closed when none is running any more
}

// maxTasks bounds how many tasks run at once, so that refreshes do not overload the
// database.
const maxTasks = 32

func newTasks() *tasks {
	ctx, stop := context.WithCancel(context.Background())
	return &tasks{ctx: ctx, stop: stop, idle: make(chan struct{})}
}

// start runs task in a goroutine, unless maxTasks are running.
func (s *tasks) start(task func(context.Context)) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing || s.running == maxTasks {
		return false
	}
	s.running++
	go func() {
		defer s.end()
		task(s.ctx)
	}()
	return true
}

func (s *tasks) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running--; s.running == 0 && s.closing {
		close(s.idle)
	}
}

// close cancels the tasks, and waits for them, a second at most: they run functions of
// users, which may not return.
func (s *tasks) close() {
	s.mu.Lock()
	s.closing = true
	if s.running == 0 {
		close(s.idle)
	}
	s.mu.Unlock()
	s.stop()
	select {
	case <-s.idle:
	case <-time.After(time.Second):
	}
}
