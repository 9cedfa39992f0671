package e2e

import (
	"testing"

	"github.com/kubescribe/kubescribe/internal/testenv"
	"github.com/kubescribe/kubescribe/internal/testsize"
)

// TestAGapOfAnyLengthConverges lets things happen while no Mirror runs, whole types and namespaces
// going and coming back among them, and has the server forget all of it.
func TestAGapOfAnyLengthConverges(t *testing.T) {
	testsize.Sampled(t)
	server := memoryWalkServer
	if real() {
		server = func(t *testing.T) *walkServer {
			return realWalkServer(t, &testenv.Options{DisableWatchCache: true})
		}
	}
	w := newWalk(t, server(t))
	w.populate(testsize.Sizes{Usual: 200, Long: 1000, Soak: 5000}.Pick())
	w.revive()
	w.quiet(false)
	for gap := range (testsize.Sizes{Usual: 2, Long: 5, Soak: 20}).Pick() {
		w.kill()
		for range 1 + w.chance.IntN(1<<w.chance.IntN(10)) {
			w.count++
			w.operate()
		}
		for range w.chance.IntN(4) {
			w.upheaval()
		}
		w.forget()
		w.quiet(gap%2 == 0)
	}
	w.end()
}

// upheaval is a change of much at once.
func (w *walk) upheaval() {
	switch n := w.chance.IntN(4); {
	case n == 0:
		w.changeRules()
	case n == 1 && w.razes:
		w.raze(walkNamespace(w.chance.IntN(walkNamespaceCount)))
	case n == 2:
		w.relabelNamespace(walkKey{walkType: walkNamespaces, Name: walkNamespace(w.chance.IntN(walkNamespaceCount))})
	default:
		w.toggle()
		if w.chance.IntN(2) == 0 {
			w.toggle()
		}
	}
	w.say("%d objects are left", len(w.objects))
}
