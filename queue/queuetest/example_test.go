package queuetest_test

import (
	"testing"

	"github.com/kubescribe/kubescribe/queue"
	"github.com/kubescribe/kubescribe/queue/queuetest"
)

// aConformanceTest is what the test of a queue of one's own looks like. New is all there is to say
// of one that forgets when the process ends, and runs in a testing/synctest bubble.
func aConformanceTest(t *testing.T) {
	queuetest.TestQueue(t, queuetest.Harness{
		New: func(_ testing.TB, opts queue.Options) queue.Queue { return queue.NewSharded(&opts) },
	})
}

func TestTheExampleHolds(t *testing.T) { aConformanceTest(t) }

// A conformance test is a test, such as aConformanceTest.
func ExampleTestQueue() {
	_ = aConformanceTest
}
