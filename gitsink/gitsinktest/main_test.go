package gitsinktest_test

import (
	"testing"

	"go.uber.org/goleak"
)

func TestTheExampleOfTheKitHolds(t *testing.T) { aConformanceTest(t) }

func TestTheExampleOfTheKitOfEncryptorsHolds(t *testing.T) { aTestOfAnEncryptor(t) }

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
