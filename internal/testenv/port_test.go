package testenv

import (
	"errors"
	"net"
	"testing"

	"github.com/stretchr/testify/require"
)

var errStart = errors.New("start")

func TestOnFreePortTriesAgainWhenSomebodyElseTookThePort(t *testing.T) {
	var tried []int
	err := onFreePort(func(port int) error {
		tried = append(tried, port)
		if len(tried) == 1 {
			occupy(t, port)
			return errStart
		}
		return nil
	})
	require.NoError(t, err)
	require.Len(t, tried, 2)
	require.NotEqual(t, tried[0], tried[1])
}

func TestOnFreePortReportsAFaultThatIsNotThePorts(t *testing.T) {
	tried := 0
	err := onFreePort(func(int) error { tried++; return errStart })
	require.ErrorIs(t, err, errStart)
	require.Equal(t, 1, tried)
}

func TestOnFreePortGivesUp(t *testing.T) {
	tried := 0
	err := onFreePort(func(port int) error { tried++; occupy(t, port); return errStart })
	require.ErrorIs(t, err, errStart)
	require.Equal(t, portAttempts, tried)
}

func occupy(t *testing.T, port int) {
	t.Helper()
	listener, err := net.Listen("tcp", address(port))
	require.NoError(t, err)
	t.Cleanup(func() { _ = listener.Close() })
}
