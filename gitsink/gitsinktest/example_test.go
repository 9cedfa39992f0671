package gitsinktest_test

import (
	"testing"

	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gitsinktest"
)

// aConformanceTest is the test of a sink of one's own, here of the Fake. A sink that pushes to Git
// leaves out Store: the kit then has it push to a Git server over HTTP.
func aConformanceTest(t *testing.T) {
	const url = "https://git.example/team/app.git"
	var fake *gitsinktest.Fake
	gitsinktest.TestGitSink(t, gitsinktest.Harness{
		Store: func(testing.TB) gitsinktest.Store {
			fake = gitsinktest.NewFake()
			return gitsinktest.Store{Repository: url, Observer: fake.Repo(url)}
		},
		New: func(testing.TB, gitsinktest.Store) gitsink.GitSink { return fake.Beside() },
	})
}

// The conformance kit is called by a test.
func ExampleTestGitSink() {
	_ = aConformanceTest
}
