package gitsinktest_test

import (
	"testing"

	"go.uber.org/goleak"
)

func TestTheExampleOfTheKitHolds(t *testing.T) { aConformanceTest(t) }

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
