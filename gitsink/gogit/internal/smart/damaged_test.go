package smart

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// answered is a wire on which one answer comes, whatever is asked.
type answered struct{ io.Reader }

func (a answered) Advertise(context.Context) (io.ReadCloser, error) { return io.NopCloser(a), nil }
func (a answered) Exchange(context.Context, ...[]byte) (io.ReadCloser, error) {
	return io.NopCloser(a), nil
}
func (a answered) Explain(err error) error { return err }
func (a answered) Close()                  {}

// conversing is a session in which this answer comes next.
func conversing(t testing.TB, answer io.Reader, capabilities string) *Session {
	t.Helper()
	refs := strings.NewReader(pkt(someHash+" refs/heads/main\x00"+capabilities) + "0000")
	s, err := Begin(t.Context(), answered{io.MultiReader(refs, answer)}, "refs/heads/main")
	require.NoError(t, err)
	return s
}
