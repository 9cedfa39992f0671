package testenv

import "syscall"

// dieWithParent has the kernel kill the process when its parent is gone, however that came about;
// see PR_SET_PDEATHSIG in prctl(2).
func dieWithParent() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
