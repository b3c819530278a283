package redistest

import (
	"os/exec"
	"syscall"
)

// dieWithTest lets no server survive its test, whatever becomes of that.
func dieWithTest(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
