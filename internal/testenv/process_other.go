//go:build !linux

package testenv

import "syscall"

// dieWithParent has no equivalent here: servers of a test binary that is killed live on.
func dieWithParent() *syscall.SysProcAttr { return nil }
