package loopback

import (
	"net"
	"sync"
	"testing"
)

// Gate is a TCP listener that can cut its connections without giving up its port. Its methods may
// be called concurrently.
type Gate struct {
	net.Listener
	mu    sync.Mutex // guards what follows
	down  bool
	conns map[*Conn]struct{}
}

// NewGate makes an open gate of a TCP listener, which it closes with its own Close.
func NewGate(l net.Listener) *Gate { return &Gate{Listener: l, conns: map[*Conn]struct{}{}} }

// Serve listens on a port of its own. It runs serve for each connection, on a goroutine, and closes
// the connection when serve returns. At the end of the test it cuts all connections and waits for
// every serve.
func Serve(t testing.TB, serve func(*Conn)) *Gate {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listen on the loopback interface: %v", err)
	}
	g := NewGate(listener)
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := g.accept()
			if err != nil {
				return
			}
			running.Go(func() {
				defer func() { _ = conn.Close() }()
				serve(conn)
			})
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		g.Shut()
		running.Wait()
	})
	return g
}

// Accept implements net.Listener. While the gate is shut, connections are reset and not returned.
func (g *Gate) Accept() (net.Conn, error) {
	conn, err := g.accept()
	if err != nil {
		return nil, err
	}
	return conn, nil
}

func (g *Gate) accept() (*Conn, error) {
	for {
		c, err := g.Listener.Accept()
		if err != nil {
			return nil, err
		}
		conn := &Conn{TCPConn: c.(*net.TCPConn), gate: g}
		if g.admit(conn) {
			return conn, nil
		}
		conn.reset()
	}
}

func (g *Gate) admit(c *Conn) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.down {
		g.conns[c] = struct{}{}
	}
	return !g.down
}

// Shut resets all connections, and each new one until Open.
func (g *Gate) Shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.down = true
	for c := range g.conns {
		c.reset()
	}
	clear(g.conns)
}

// Open ends Shut.
func (g *Gate) Open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.down = false
}

// Conn is a connection that came through a Gate.
type Conn struct {
	*net.TCPConn
	gate *Gate
}

// Close implements net.Conn.
func (c *Conn) Close() error {
	c.gate.mu.Lock()
	delete(c.gate.conns, c)
	c.gate.mu.Unlock()
	return c.TCPConn.Close()
}

// reset closes the connection so that the client sees an error and not an orderly end.
func (c *Conn) reset() {
	_ = c.SetLinger(0)
	_ = c.TCPConn.Close()
}
