package kittest

import (
	"errors"
	"fmt"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// recorder remembers why its test ended.
type recorder struct {
	testing.TB
	fatal string
}

func (r *recorder) Helper() {}

func (r *recorder) Fatalf(format string, args ...any) {
	r.fatal = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func verdict(t *testing.T, f func(t testing.TB)) string {
	t.Helper()
	r := &recorder{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(r)
	}()
	<-done
	return r.fatal
}

func TestAPromiseThatNobodyMadeIsRefused(t *testing.T) {
	quotes := func(pattern string, checks ...Check) string {
		return verdict(t, func(t testing.TB) { RequireQuotes(t, checks, pattern) })
	}
	good := Check{"it quotes", "A kit is only as good as what it refuses"} // over the end of a line
	require.Empty(t, quotes("kittest.go", good))
	require.Contains(t, quotes("kittest.go", good, Check{"it invents", "A kit is as good as its" + " name"}), `"it invents"`)
	require.Contains(t, quotes("kittest.go", Check{Name: "it promises nothing"}), `"it promises nothing"`)
	require.Contains(t, quotes("kittest.go", good, good), "two are called")
	require.Contains(t, quotes("gone*.go", good), "no file matches")
}

func TestAVerdictMustRefuseInTheRightWords(t *testing.T) {
	skipped := errors.New("skipped")
	require.NoError(t, refusal(errors.New("it lost a file"), "lost", skipped))
	require.ErrorContains(t, refusal(nil, "lost", skipped), "not refused")
	require.ErrorContains(t, refusal(errors.New("it hangs"), "lost", skipped), "it hangs")
	require.ErrorContains(t, refusal(fmt.Errorf("%w: nothing lost", skipped), "lost", skipped), "not made")
	require.ErrorContains(t, refusal(errors.New("it lost a file"), "", skipped), "not said")
}

func TestACheckThatRefusesNothingIsOfNoUse(t *testing.T) {
	checks := []Check{{Name: "a"}, {Name: "b"}}
	use := func(broken ...Broken) string {
		return verdict(t, func(t testing.TB) { RequireUse(t, checks, broken) })
	}
	require.Empty(t, use(Broken{By: map[string]string{"a": "x", "b": "y"}}))
	require.Empty(t, use(Broken{By: map[string]string{"a": "x"}}, Broken{By: map[string]string{"b": "y"}}))
	require.Contains(t, use(Broken{By: map[string]string{"a": "x"}}), `check "b"`)
}

func TestEachBrokenOneRunsAgainstTheChecksThatItNames(t *testing.T) {
	ran := map[string]bool{}
	run := func(_ *testing.T, check string) error {
		ran[check] = true
		return errors.New("broken")
	}
	checks := []Check{{Name: "a"}, {Name: "b"}, {Name: "c"}}
	RequireRefused(t, checks, []Broken{
		{Name: "one", By: map[string]string{"a": "broken"}, Run: run},
		{Name: "other", By: map[string]string{"b": "broken"}, Run: run},
	}, errors.ErrUnsupported)
	require.Equal(t, map[string]bool{"a": true, "b": true}, ran)
}
