package smart

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestASessionRepeatsItselfWhereEachIsARequest(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		conn Conn
		want bool
	}{"http": {&httpConn{}, true}, "http, moved": {&httpConn{moved: true}, false}, "another": {answered{}, false}} {
		require.Equal(t, c.want, Assume(c.conn, nil).Repeats(), name)
	}
}
