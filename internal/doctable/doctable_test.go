package doctable

import (
	"fmt"
	"os"
	"path/filepath"
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

func (r *recorder) Fatal(args ...any) { r.end(fmt.Sprint(args...)) }

func (r *recorder) Fatalf(format string, args ...any) { r.end(fmt.Sprintf(format, args...)) }

func (r *recorder) end(why string) {
	r.fatal = why
	runtime.Goexit()
}

func verdict(t *testing.T, page string, tables map[string]string) string {
	t.Helper()
	r := &recorder{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		Require(r, page, tables)
	}()
	<-done
	return r.fatal
}

func TestAPageThatDiffersFromTheTestsIsRefused(t *testing.T) {
	page := filepath.Join(t.TempDir(), "page.md")
	text := "before\n<!-- a -->\n\n| 1 |\n\n<!-- end of a -->\nbetween\n<!-- b -->\n\n| 2 |\n\n<!-- end of b -->\nafter\n"
	require.NoError(t, os.WriteFile(page, []byte(text), 0o600))
	require.Empty(t, verdict(t, page, map[string]string{"a": "| 1 |\n", "b": "| 2 |\n"}))
	require.Contains(t, verdict(t, page, map[string]string{"a": "| 1 |\n", "b": "| 3 |\n"}), `the table "b" is`)
	require.Contains(t, verdict(t, page, map[string]string{"c": ""}), `no table "c"`)
	require.Contains(t, verdict(t, page+".gone", nil), "no such file")

	*update = true
	defer func() { *update = false }()
	require.Empty(t, verdict(t, page, map[string]string{"b": "| 3 |\n"}))
	written, err := os.ReadFile(page)
	require.NoError(t, err)
	require.Equal(t, "before\n<!-- a -->\n\n| 1 |\n\n<!-- end of a -->\nbetween\n<!-- b -->\n\n| 3 |\n\n<!-- end of b -->\nafter\n", string(written))
}
