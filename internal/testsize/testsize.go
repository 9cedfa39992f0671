// Package testsize says how large a test is to be. A proof comes in four sizes, and the usual one
// says something about the whole promise:
//
//	go test -short ./...              a minute: a ninth of the long tests, drawn
//	go test ./...                     two minutes: a third of the long tests, drawn
//	KUBESCRIBE_LONG=1 go test ./...   what CI runs, with the race detector: `make race`
//	KUBESCRIBE_SOAK=1 go test ./...   hours: `make soak`
//
// Every test asks this package, so that the two variables mean the same everywhere. KUBESCRIBE_SEED
// repeats what a random test did: its log has the seed.
package testsize

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
)

// The variables that choose a size. A value that is not empty asks for it; the greater one wins,
// and both win over -short.
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

// NeedsLong skips a test that CI alone runs, with the reason.
func NeedsLong(t testing.TB, why string) {
	t.Helper()
	if !Long() {
		t.Skipf("%s: %s=1 runs it", why, longVariable)
	}
}

// OneOf skips a test unless it is the one that this run draws of n alternatives, which say the same
// in different ways: over one transport or another. They have the key in common, and each its own
// number from 0 to n-1. Long runs them all; with -short two of three keys draw none.
func OneOf(t testing.TB, key string, number, n int) {
	t.Helper()
	if Long() {
		return
	}
	if testing.Short() {
		n *= 3
	}
	if draw(key, n) != number {
		t.Skipf("another one of %d was drawn by %s=%d; %s=1 runs them all", n, seedVariable, ofProcess(), longVariable)
	}
}

// Sampled is for a test that takes half a second or more. It skips two of three of them, others in
// every run, and eight of nine with -short. Long runs them all.
func Sampled(t testing.TB) {
	t.Helper()
	OneOf(t, t.Name(), 0, 3)
}

// Some returns n of all, drawn at random, in their order; Long returns all. With -short there are
// half as many, but one at least.
func Some[T any](t testing.TB, all []T, n int) []T {
	t.Helper()
	if testing.Short() {
		n = max(n/2, 1)
	}
	if Long() || n >= len(all) {
		return all
	}
	t.Logf("%d of %d, drawn by %s=%d; %s=1 runs them all", n, len(all), seedVariable, ofProcess(), longVariable)
	chosen := rand.New(rand.NewPCG(ofProcess(), uint64(draw(t.Name(), 1<<30)))).Perm(len(all))[:n]
	slices.Sort(chosen)
	some := make([]T, 0, n)
	for _, i := range chosen {
		some = append(some, all[i])
	}
	return some
}

// draw returns a number below n, another one in every run.
func draw(key string, n int) int {
	h := fnv.New64a()
	_, _ = fmt.Fprintf(h, "%d %s", ofProcess(), key)
	return int(h.Sum64() % uint64(n))
}

// ofProcess is the seed of everything that a run of the tests draws.
var ofProcess = sync.OnceValue(func() uint64 {
	n, err := given()
	if err != nil {
		panic(err)
	}
	return n
})

// given returns the seed of the environment, or a new one.
func given() (uint64, error) {
	text := os.Getenv(seedVariable)
	if text == "" {
		return rand.Uint64(), nil
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", seedVariable, err)
	}
	return n, nil
}

// Seed returns the seed of a random test: that of KUBESCRIBE_SEED, or another one in every run. It
// is in the test's log.
func Seed(t testing.TB) uint64 {
	t.Helper()
	n, err := given()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s=%d", seedVariable, n)
	return n
}

// Repeats reports whether KUBESCRIBE_SEED is set: a test of many schedules then runs that one
// alone.
func Repeats() bool { return os.Getenv(seedVariable) != "" }

// Chance returns a source of chance with Seed's seed.
func Chance(t testing.TB) *rand.Rand {
	t.Helper()
	n := Seed(t)
	return rand.New(rand.NewPCG(n, n))
}
