package object

import (
	"runtime"

	"github.com/kubescribe/kubescribe/gitsink"
)

func writes(files ...string) []gitsink.Change {
	var changes []gitsink.Change
	for i := 0; i < len(files); i += 2 {
		changes = append(changes, gitsink.Change{Path: files[i], Data: []byte(files[i+1])})
	}
	return changes
}

func removals(paths ...string) []gitsink.Change {
	var changes []gitsink.Change
	for _, path := range paths {
		changes = append(changes, gitsink.Change{Path: path, Remove: true})
	}
	return changes
}

// liveHeap is what is reachable, in bytes.
func liveHeap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
