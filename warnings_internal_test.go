package kubescribe

import (
	"fmt"
	"strings"
	"testing"

	"github.com/go-logr/logr/funcr"
	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/destination"
	"github.com/kubescribe/kubescribe/orphan"
)

func TestWarningsAreSaidOnceCleanedAndBounded(t *testing.T) {
	t.Parallel()
	var said []string
	w := &warnings{log: funcr.New(func(_, args string) { said = append(said, args) }, funcr.Options{}), said: map[string]struct{}{}}
	warn := func(code int, text string) { w.HandleWarningHeaderWithContext(t.Context(), code, "", text) }
	warn(299, "")
	warn(110, "stale")
	warn(299, "deprecated")
	warn(299, "deprecated")
	require.Len(t, said, 1)
	warn(299, "a\x1b[2Jb\nc")
	require.Len(t, said, 2)
	require.NotContains(t, said[1], "u001b")
	require.NotContains(t, said[1], `\n`)
	for i := range 2 * maxWarnings {
		warn(299, fmt.Sprint(i))
	}
	require.Len(t, said, maxWarnings)
	require.Len(t, w.said, maxWarnings)
}

func TestFaultsOfOrphanOptionsAreInOrder(t *testing.T) {
	t.Parallel()
	options := map[destination.Ref]orphan.Options{}
	for i := range 9 {
		options[destination.Ref{Namespace: "a", Name: fmt.Sprint(i)}] = orphan.Options{Policy: "Perhaps"}
	}
	lines := strings.Split(validateOrphans(options).Error(), "\n")
	require.Len(t, lines, 9)
	require.IsIncreasing(t, lines)
}
