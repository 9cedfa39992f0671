package testenv

import (
	"errors"
	"math/rand/v2"
	"net"
	"strconv"
)

const (
	loopback = "127.0.0.1"

	// Below the range from which Linux and macOS take the ports of outgoing connections, so that
	// none of those sits on a server's port while the server restarts.
	firstPort, lastPort = 20000, 32767

	portAttempts = 5
)

var errNoPort = errors.New("testenv: found no free port")

// onFreePort calls start with a port that is free at that moment. Somebody else may take the port
// before the server does; a start that failed while the port is in other hands is tried again with
// another one.
func onFreePort(start func(port int) error) error {
	for attempt := 1; ; attempt++ {
		port, err := freePort()
		if err != nil {
			return err
		}
		if err = start(port); err == nil || attempt == portAttempts || isFree(port) {
			return err
		}
	}
}

func freePort() (int, error) {
	for range 1000 {
		if port := firstPort + rand.IntN(lastPort-firstPort+1); isFree(port) {
			return port, nil
		}
	}
	return 0, errNoPort
}

func isFree(port int) bool {
	listener, err := net.Listen("tcp", address(port))
	if err != nil {
		return false
	}
	return listener.Close() == nil
}

func address(port int) string { return net.JoinHostPort(loopback, strconv.Itoa(port)) }
