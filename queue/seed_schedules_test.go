package queue

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/event"
	"github.com/kubescribe/kubescribe/internal/testsize"
)

// seedStart says where a schedule begins.
type seedStart struct {
	cond    event.Precondition
	targets int
	key     func(destination.Destination) string
	same    bool // the files of living objects are as they should be
	broken  breakage
}

func (s seedStart) begin() *seedCluster {
	c := &seedCluster{
		queue:  NewSharded(&Options{Key: s.key, Window: Window{Bytes: 300}, MaxEventsPerKey: 3}),
		living: map[string]string{"a": "v0", "b": "v0"},
		known:  map[string]string{},
		broken: s.broken,
	}
	for i := range s.targets {
		to := prod
		to.Ref.Name, to.BaseFolder = fmt.Sprint("d", i), fmt.Sprint("d", i)
		files := map[string]string{"a": "old", "dead": "v0"}
		if s.same {
			files["a"], files["b"] = c.living["a"], c.living["b"]
		}
		c.targets = append(c.targets, &seedTarget{to: to, cond: s.cond, files: files})
	}
	c.restart()
	c.list()
	return c
}

// verdict runs a schedule to its rest, and says what went wrong.
func (s seedStart) verdict(t *testing.T, schedule []byte) (wrong string, possible bool) {
	c := s.begin()
	for _, op := range schedule {
		if !c.step(t, op) {
			return "", false
		}
		if c.lost != "" {
			return "a sweep removed the file of the living " + c.lost, true
		}
	}
	if !c.rest(t) {
		return "there is no end", true
	}
	for _, target := range c.targets {
		if s.cond != event.Always { // the content is that of the first time
			if !slices.Equal(slices.Sorted(maps.Keys(target.files)), slices.Sorted(maps.Keys(c.living))) {
				return fmt.Sprintf("%s holds %v, and %v live", target.to.Ref, target.files, c.living), true
			}
			continue
		}
		if !maps.Equal(target.files, c.living) {
			return fmt.Sprintf("%s holds %v, and %v live", target.to.Ref, target.files, c.living), true
		}
	}
	return "", true
}

// search tries all schedules of up to n steps that begin with prefix, and returns the first that
// goes wrong.
func (s seedStart) search(t *testing.T, steps string, prefix []byte, n int, tried *int) string {
	wrong, possible := s.verdict(t, prefix)
	if wrong != "" {
		return fmt.Sprintf("%s: %s", prefix, wrong)
	}
	*tried++
	if !possible || len(prefix) == n {
		return ""
	}
	for _, op := range []byte(steps) {
		if found := s.search(t, steps, append(slices.Clone(prefix), op), n, tried); found != "" {
			return found
		}
	}
	return ""
}

func TestNoScheduleOfASeedLosesAFileOrLeavesOneStale(t *testing.T) {
	n := *steps
	if n == 0 {
		n = testsize.Sizes{Short: 3, Usual: 4, Long: 5, Soak: 7}.Pick()
		if raceDetector {
			n = min(n, 4)
		}
	}
	for name, s := range map[string]struct {
		seedStart
		steps string
		fewer int // there are more of them
	}{
		"Always":                       {seedStart{targets: 1}, seedSteps, 0},
		"IfAbsent":                     {seedStart{targets: 1, cond: event.IfAbsent}, seedSteps, 0},
		"a restart":                    {seedStart{targets: 1, same: true}, seedSteps, 0},
		"two destinations":             {seedStart{targets: 2}, seedSteps + "GN", 1},
		"two destinations of one line": {seedStart{targets: 2, key: ByRepository}, seedSteps + "Gp", 1},
	} {
		for _, first := range []byte(s.steps) {
			t.Run(fmt.Sprintf("%s, %c", name, first), func(t *testing.T) {
				t.Parallel()
				tried := 0
				bubble(t, func(t *testing.T) {
					if found := s.search(t, s.steps, []byte{first}, n-s.fewer, &tried); found != "" {
						t.Fatal(found)
					}
				})
				t.Logf("%d schedules of up to %d steps", tried, n-s.fewer)
			})
		}
	}
}

// The schedules that show what each rule is there for are made of few kinds of steps.
func TestEachRuleOfASeedIsThereForASchedule(t *testing.T) {
	for name, s := range map[string]struct {
		seedStart
		steps string
	}{
		"copies": {seedStart{broken: breakage{copies: true}}, "nAdga"},
		"never":  {seedStart{broken: breakage{never: true}}, "nd"},
		"early":  {seedStart{broken: breakage{early: true}, same: true}, "lnx"},
		"deaf":   {seedStart{broken: breakage{deaf: true}}, "andf"},
		"keeps":  {seedStart{broken: breakage{keeps: true}}, "andf"},
		"viewed": {seedStart{broken: breakage{viewed: true}, cond: event.IfAbsent}, "anAo"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s.targets = 1
			bubble(t, func(t *testing.T) {
				tried := 0
				found := s.search(t, s.steps, nil, 5, &tried)
				require.NotEmpty(t, found, "no schedule of %d shows that the rule is needed", tried)
				t.Log(found)
				s.broken = breakage{}
				require.Empty(t, s.search(t, s.steps, nil, 5, &tried))
			})
		})
	}
}
