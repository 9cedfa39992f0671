// Package testsize says how large a test is to be. A proof comes in four sizes, and each of them says something about the
// whole promise:
//
//	go test -short ./...              a minute on two cores
//	go test ./...                     two minutes: what a user of the library runs
//	KUBESCRIBE_LONG=1 go test ./...   what CI runs, with the race detector: `make race`
//	KUBESCRIBE_SOAK=1 go test ./...   hours: `make soak`
//
// Every test asks this package, so that the two variables mean the same everywhere. KUBESCRIBE_SEED repeats what a random
// test did: its log has the seed.
package testsize

import (
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
)

// The variables that choose a size. A value that is not empty asks for it; the greater one wins, and both win over -short.
const (
	longVariable = "KUBESCRIBE_LONG"
	soakVariable = "KUBESCRIBE_SOAK"
	seedVariable = "KUBESCRIBE_SEED"
)

// Sizes are the sizes of one proof, in whatever it counts: schedules, rounds, files.
type Sizes struct {
	Short int // Default: Usual
	Usual int
	Long  int // Default: Usual
	Soak  int // Default: Long
}

// Pick returns the size that this run of the tests asks for.
func (s Sizes) Pick() int {
	if s.Short == 0 {
		s.Short = s.Usual
	}
	if s.Long == 0 {
		s.Long = s.Usual
	}
	if s.Soak == 0 {
		s.Soak = s.Long
	}
	switch {
	case Soak():
		return s.Soak
	case Long():
		return s.Long
	case testing.Short():
		return s.Short
	}
	return s.Usual
}

// Soak reports whether full sizes are asked for.
func Soak() bool { return os.Getenv(soakVariable) != "" }

// Long reports whether the sizes of CI, or larger ones, are asked for.
func Long() bool { return Soak() || os.Getenv(longVariable) != "" }

// NeedsSoak skips a test that is no part of the other sizes, with the reason.
func NeedsSoak(t testing.TB, why string) {
	t.Helper()
	if !Soak() {
		t.Skipf("%s: %s=1 runs it", why, soakVariable)
	}
}

// NeedsLong skips a test of which the usual run has a smaller form, and names that.
func NeedsLong(t testing.TB, instead string) {
	t.Helper()
	if !Long() {
		t.Skipf("%s=1 runs it; here there is %s", longVariable, instead)
	}
}

// NotShort skips a test with -short, and names what is left of it there.
func NotShort(t testing.TB, instead string) {
	t.Helper()
	if testing.Short() && !Long() {
		t.Skipf("not with -short; there is %s", instead)
	}
}

// Seed returns the seed of a random test: that of KUBESCRIBE_SEED, or another one in every run. It is in the test's log.
func Seed(t testing.TB) uint64 {
	t.Helper()
	n := rand.Uint64()
	if given := os.Getenv(seedVariable); given != "" {
		var err error
		if n, err = strconv.ParseUint(given, 10, 64); err != nil {
			t.Fatalf("%s: %v", seedVariable, err)
		}
	}
	t.Logf("%s=%d", seedVariable, n)
	return n
}

// Repeats reports whether KUBESCRIBE_SEED is set: a test of many schedules then runs that one alone.
func Repeats() bool { return os.Getenv(seedVariable) != "" }

// Chance returns a source of chance with Seed's seed.
func Chance(t testing.TB) *rand.Rand {
	t.Helper()
	n := Seed(t)
	return rand.New(rand.NewPCG(n, n))
}
