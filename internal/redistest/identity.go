package redistest

import (
	"strings"
	"sync"

	"github.com/alicebob/miniredis/v2"
	"github.com/alicebob/miniredis/v2/server"
)

// An Identity is what a miniredis answers to INFO, by section. It is safe for
// concurrent use.
type Identity struct {
	mu       sync.Mutex
	sections map[string]string
}

// Identify makes a miniredis, which tells nothing of itself, answer as a master of
// one run does. A server that tells nothing is asked by a script each time, as a
// server behind a proxy is.
func Identify(m *miniredis.Miniredis) *Identity {
	i := &Identity{sections: map[string]string{
		"server":      "# Server\r\nredis_version:7.0.15\r\nrun_id:" + strings.Repeat("1", 40) + "\r\n",
		"replication": "# Replication\r\nrole:master\r\nconnected_slaves:0\r\nmaster_replid:" + strings.Repeat("2", 40) + "\r\n",
	}}
	if m.Server() == nil {
		if conn, err := m.Dial(); err == nil { // which starts it
			_ = conn.Close()
		}
	}
	m.Server().SetPreHook(i.Answer)
	return i
}

// Answer answers a command if it is INFO of a section that is known, and reports
// whether it did. It is a hook, for tests that have hooks of their own.
func (i *Identity) Answer(c *server.Peer, command string, args ...string) bool {
	if command != "INFO" || len(args) != 1 {
		return false
	}
	i.mu.Lock()
	text, ok := i.sections[strings.ToLower(args[0])]
	i.mu.Unlock()
	if ok {
		c.WriteBulk(text)
	}
	return ok
}

// Tell sets the answer for a section.
func (i *Identity) Tell(section, text string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.sections[section] = text
}
