package queuetest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/kubescribe/kubescribe/queue"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// sharded is a harness of queue.Sharded.
func sharded() Harness {
	return Harness{New: func(_ testing.TB, opts queue.Options) queue.Queue { return queue.NewSharded(&opts) }}
}

func TestShardedKeepsTheContract(t *testing.T) { TestQueue(t, sharded()) }

func TestShardedKeepsTheContractByTheClockOfTheMachine(t *testing.T) {
	h := sharded()
	h.RealTime = true
	for _, c := range checks() {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if err := c.against(t, h); err != nil {
				require.ErrorIs(t, err, errSkipped)
			}
		})
	}
}

func BenchmarkSharded(b *testing.B) { BenchmarkQueue(b, sharded()) }

func TestEveryCheckQuotesTheDocumentation(t *testing.T) {
	var docs strings.Builder
	for _, file := range []string{"../doc.go", "../queue.go", "doc.go"} {
		source, err := os.ReadFile(filepath.FromSlash(file))
		require.NoError(t, err)
		for line := range strings.Lines(string(source)) {
			docs.WriteString(" " + strings.TrimPrefix(strings.TrimSpace(line), "//"))
		}
	}
	text := oneLine(docs.String())
	names := map[string]bool{}
	for _, c := range checks() {
		require.Contains(t, text, oneLine(c.promise), "the promise of the check %q", c.name)
		require.False(t, names[c.name], "two checks are called %q", c.name)
		names[c.name] = true
	}
}

// oneLine has one space wherever the text has any.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

func TestWhatAHarnessLacksIsSkipped(t *testing.T) {
	skipped := 0
	for _, c := range checks() {
		if c.needs != 0 {
			require.ErrorIs(t, c.against(t, sharded()), errSkipped, c.name)
			skipped++
		}
	}
	require.Equal(t, 2, skipped)
}
