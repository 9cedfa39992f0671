package eventtest_test

import (
	"testing"

	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/event/eventtest"
)

// aLayoutTest is the test of a layout of one's own, here of ByTypeLayout.
func aLayoutTest(t *testing.T) {
	eventtest.TestLayout(t, event.ByTypeLayout)
}

// The conformance kit is called by a test.
func ExampleTestLayout() {
	_ = aLayoutTest
}
