//go:build !linux

package mariadbtest

import "syscall"

// An account is the user that the server runs as: here always the test's own.
type account struct{}

func serverAccount() (*account, error) { return nil, nil }

func (*account) attributes() *syscall.SysProcAttr { return nil }

func (*account) own(string) error { return nil }
