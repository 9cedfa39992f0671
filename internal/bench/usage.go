package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// cpuTime is what this process and the children that it waited for have used, in user and kernel
// mode.
func cpuTime() (time.Duration, error) {
	var sum time.Duration
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var used syscall.Rusage
		if err := syscall.Getrusage(who, &used); err != nil {
			return 0, fmt.Errorf("getrusage: %w", err)
		}
		sum += time.Duration(used.Utime.Nano() + used.Stime.Nano())
	}
	return sum, nil
}

// peakMemory is the most that the system ever held, in bytes: this process, or for git the largest
// process that this one has started.
func peakMemory(system string) (int64, error) {
	if system == commandGit {
		var used syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_CHILDREN, &used); err != nil {
			return 0, fmt.Errorf("getrusage: %w", err)
		}
		return used.Maxrss << 10, nil
	}
	// The peak that getrusage knows of this process would be its parent's, were that the larger
	// one.
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(status), "\nVmHWM:")
	var kB int64
	if _, err := fmt.Sscanf(rest, "%d kB", &kB); err != nil {
		return 0, fmt.Errorf("/proc/self/status: VmHWM: %w", err)
	}
	return kB << 10, nil
}

// machine says in one line what the numbers were measured on.
func machine(ctx context.Context) string {
	load := "unknown"
	if text, err := os.ReadFile("/proc/loadavg"); err == nil {
		load, _, _ = strings.Cut(string(text), " ")
	}
	version, _ := git(ctx, "", nil, environment(os.DevNull), "version")
	return fmt.Sprintf("%s, %s/%s, %d cores, %s, %s, load average before %s", time.Now().Format(time.DateOnly),
		runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version(), strings.TrimSpace(version), load)
}
