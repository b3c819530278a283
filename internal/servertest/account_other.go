//go:build !linux

package servertest

import "syscall"

// An account is the user that the server runs as: here always the test's own.
type account struct{}

func find(string) (*account, error) { return nil, nil }

func (*account) attributes(syscall.Signal) *syscall.SysProcAttr { return nil }

func (*account) own(string) error { return nil }
