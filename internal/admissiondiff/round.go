package main

import (
	"runtime"
	"syscall"
	"time"
)

// round is the mean of one operation.
type round struct {
	wall, cpu float64 // ns
	allocs    int64
}

// round repeats an operation until that has taken s.atLeast.
func (s settings) round(operation func()) round {
	var before, after runtime.MemStats
	for n := 1; ; n *= 2 {
		runtime.GC()
		runtime.ReadMemStats(&before)
		began, cpu := time.Now(), cpuTime()
		for range n {
			operation()
		}
		took := time.Since(began)
		cpu = cpuTime() - cpu
		runtime.ReadMemStats(&after)
		if took >= s.atLeast {
			return round{float64(took) / float64(n), float64(cpu) / float64(n), int64(after.Mallocs-before.Mallocs) / int64(n)}
		}
	}
}

// cpuTime is what the process has used so far.
func cpuTime() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
