package kubescribe_test

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe"
	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/gitsink/gogit"
	"github.com/kubescribe/kubescribe/internal/doctable"
	"github.com/kubescribe/kubescribe/internal/meter/metertest"
)

const metricsPage = "docs/monitoring/metrics.md"

// measured runs a Mirror with two destinations until it has measured all that it can. It returns
// what it measured, and the Mirror, which goes on until stop is called.
func measured(t *testing.T, perDestination int) (r *metertest.Recorder, stop func() error) {
	t.Helper()
	c, repo := cluster(t), gitservertest.NewServer(t, nil).NewRepo("r")
	configMap(t, c, "a", "one")
	r = metertest.New()
	opts := quick(kubescribe.Options{MeterProvider: r, MetricsPerDestination: perDestination})
	opts.Git.RateLimit = func(destination.Destination) gogit.RateLimit {
		return gogit.RateLimit{Interval: 2 * time.Second, Burst: 1}
	}
	m, err := kubescribe.New(c.Config(), opts)
	require.NoError(t, err)
	require.NoError(t, m.SetRules(rulesFor(repo, prodRef, devRef)))
	stop = start(t, m)
	synced(t, m)
	for i := 0; r.Count("kubescribe.git.ratelimit.wait", "") == 0 || len(r.Instruments()["kubescribe.lag"].Counts) < 2*(1+min(perDestination, 1)); i++ {
		require.Less(t, i, 20, "no push has waited, or no change has landed")
		configMap(t, c, "a", fmt.Sprint(i))
		require.Eventually(t, func() bool {
			return strings.Contains(repo.Tree("main")["prod/default/configmaps/a.yaml"], fmt.Sprintf("%q", fmt.Sprint(i)))
		},
			30*time.Second, 10*time.Millisecond)
		synced(t, m)
	}
	require.NoError(t, r.Collect(t.Context()))
	return r, stop
}

// attributesOf returns the values of each attribute of an instrument, sorted.
func attributesOf(i metertest.Instrument) map[string][]string {
	all := map[string][]string{}
	for _, set := range i.Sets {
		for _, kv := range set.ToSlice() {
			if v := kv.Value.String(); !slices.Contains(all[string(kv.Key)], v) {
				all[string(kv.Key)] = append(all[string(kv.Key)], v)
			}
		}
	}
	for _, values := range all {
		slices.Sort(values)
	}
	return all
}

func TestThePageOnMetricsHasWhatAMirrorEmitsAndNothingElse(t *testing.T) {
	t.Parallel()
	r, stop := measured(t, 1)
	var table strings.Builder
	table.WriteString("| metric | kind | unit | attributes | meaning |\n|---|---|---|---|---|\n")
	all := r.Instruments()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		i := all[name]
		require.NotEmpty(t, i.Counts, "%s is made and never told anything", name)
		var keys []string
		for _, key := range slices.Sorted(maps.Keys(attributesOf(i))) {
			keys = append(keys, "`"+key+"`")
		}
		fmt.Fprintf(&table, "| `%s` | %s | `%s` | %s | %s |\n", name, i.Kind, i.Unit, strings.Join(keys, ", "), i.Description)
	}
	doctable.Require(t, metricsPage, map[string]string{"metrics": table.String()})
	documentsValues(t, all)
	require.NoError(t, stop())
	require.Zero(t, r.Registered(), "the provider lets go of the Mirror and its parts")
}

// documentsValues requires that the page has a row for each attribute of each metric, and no other,
// and in it all values that were seen.
func documentsValues(t *testing.T, all map[string]metertest.Instrument) {
	t.Helper()
	page, err := os.ReadFile(metricsPage)
	require.NoError(t, err)
	_, section, found := strings.Cut(string(page), "## Values of attributes")
	require.True(t, found)
	documented := metertest.Documented(section)
	for name, i := range all {
		for key, values := range attributesOf(i) {
			if key == "destination" {
				continue
			}
			at := name + " " + key
			require.Contains(t, documented, at)
			require.Subset(t, documented[at], values, at)
			if i.Kind != metertest.Histogram { // it tells all of them each time
				require.ElementsMatch(t, documented[at], values, at)
			}
			delete(documented, at)
		}
	}
	require.Empty(t, documented, "attributes that nobody has")
}

func TestMetricsTellOfDestinationsTogetherUnlessTheyHaveSeriesOfTheirOwn(t *testing.T) {
	t.Parallel()
	for n, want := range map[int]map[string]float64{
		0: {"ready=true,reason=InSync": 2},
		1: {"destination=default/dev,ready=true,reason=InSync": 1, "destination=other,ready=true,reason=InSync": 1},
		9: {"destination=default/dev,ready=true,reason=InSync": 1, "destination=default/prod,ready=true,reason=InSync": 1},
	} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			t.Parallel()
			r, stop := measured(t, n)
			got := r.Instruments()["kubescribe.destinations"].Values
			maps.DeleteFunc(got, func(_ string, n float64) bool { return n == 0 })
			require.Equal(t, want, got)
			for name := range r.Instruments()["kubescribe.lag"].Values {
				require.Equal(t, n > 0, strings.Contains(name, "destination="), name)
			}
			require.Less(t, r.Value("kubescribe.progress", ""), 10.0)
			require.NoError(t, stop())
		})
	}
}

func TestAPartKeepsAMeterProviderOfItsOwn(t *testing.T) {
	t.Parallel()
	own, all := metertest.New(), metertest.New()
	opts := kubescribe.Options{MeterProvider: all, ClusterID: "c"}
	opts.Source.MeterProvider, opts.Git.MeterProvider = own, own
	c := cluster(t)
	m, err := kubescribe.New(c.Config(), &opts)
	require.NoError(t, err)
	stop := start(t, m)
	require.NoError(t, stop())
	for name := range own.Instruments() {
		require.Regexp(t, `^kubescribe\.(source|git)\.`, name)
		require.NotContains(t, all.Instruments(), name)
	}
	require.Contains(t, all.Instruments(), "kubescribe.lag")
	require.Zero(t, own.Registered()+all.Registered())
}
