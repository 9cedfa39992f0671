package sinkproof

import (
	"io"
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// place is where in a network operation its connection is cut.
type place int

const (
	atFirstByte place = iota
	halfWay
	afterLastByte
	places // how many there are
)

func (p place) String() string {
	return []string{"at its first byte", "half way", "after its last byte"}[p]
}

// direction is what an operation does: a connection is made, or bytes go one way until some go the
// other.
type direction int

const (
	dial direction = iota
	request
	response
)

// cutter stands between a client and a server, and cuts the connection of one network operation.
// The operations of all connections are counted together, from 0.
type cutter struct {
	listener net.Listener
	upstream func(client net.Conn) (io.ReadWriteCloser, error) // the way on to the server
	relays   sync.WaitGroup

	mu       sync.Mutex // guards what follows
	lengths  []int      // bytes of each operation so far
	last     stretch
	conns    int
	at       int // the operation to cut; -1: none
	where    place
	expected int // its length, as far as anybody knows
	cut      bool
}

// stretch is where the last bytes went: others begin a new operation.
type stretch struct {
	conn int
	direction
}

// newCutter starts a cutter. It ends with the test, with all its connections.
func newCutter(t *testing.T, upstream func(net.Conn) (io.ReadWriteCloser, error)) *cutter {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	c := &cutter{listener: l, upstream: upstream, at: -1}
	c.relays.Go(c.accept)
	t.Cleanup(func() {
		_ = l.Close()
		c.relays.Wait()
	})
	return c
}

func (c *cutter) addr() string { return c.listener.Addr().String() }

// arm begins a new count, and cuts an operation of it (-1: none), whose length is only expected.
func (c *cutter) arm(at int, where place, expected int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.lengths, c.last, c.cut = nil, stretch{conn: -1}, false
	c.at, c.where, c.expected = at, where, expected
}

// counted returns the lengths of the operations, and whether one was cut.
func (c *cutter) counted() ([]int, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.lengths, c.cut
}

// pass counts n bytes. Only the first pass of them may go on; with cut, the connection is to be
// closed then.
func (c *cutter) pass(s stretch, n int) (pass int, cut bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if s != c.last {
		late := len(c.lengths)-1 == c.at && !c.cut && c.last.conn == s.conn
		c.last = s
		c.lengths = append(c.lengths, 0)
		if late { // it was shorter than expected
			c.cut = true
			return 0, true
		}
	}
	i := len(c.lengths) - 1
	c.lengths[i] += n
	if i != c.at || c.cut {
		return n, false
	}
	limit := []int{0, c.expected / 2, max(c.expected, 1)}[c.where]
	if c.lengths[i] < limit {
		return n, false
	}
	c.cut = true
	return max(n-(c.lengths[i]-limit), 0), true
}

func (c *cutter) accept() {
	for {
		client, err := c.listener.Accept()
		if err != nil {
			return
		}
		c.mu.Lock()
		id := c.conns
		c.conns++
		c.mu.Unlock()
		c.relays.Go(func() { c.relay(client, id) })
	}
}

// relay carries bytes both ways until both sides have ended or the connection is cut.
func (c *cutter) relay(client net.Conn, id int) {
	_, cut := c.pass(stretch{id, dial}, 0)
	if cut && c.place() != afterLastByte {
		if tcp, ok := client.(*net.TCPConn); ok && c.place() == atFirstByte {
			_ = tcp.SetLinger(0) // the client sees a reset, not an end
		}
		_ = client.Close()
		return
	}
	server, err := c.upstream(client)
	if err != nil {
		_ = client.Close()
		return
	}
	end := sync.OnceFunc(func() {
		_ = client.Close()
		_ = server.Close()
	})
	defer end()
	if cut {
		return
	}
	var both sync.WaitGroup
	carry := func(d direction, to io.Writer, from io.Reader) {
		buffer := make([]byte, 32<<10)
		for {
			n, err := from.Read(buffer)
			if n > 0 {
				pass, cut := c.pass(stretch{id, d}, n)
				if _, err := to.Write(buffer[:pass]); err != nil || cut {
					end()
					return
				}
			}
			if err != nil {
				if half, ok := to.(interface{ CloseWrite() error }); ok {
					_ = half.CloseWrite()
				}
				return
			}
		}
	}
	both.Go(func() { carry(request, server, client) })
	both.Go(func() { carry(response, client, server) })
	both.Wait()
}

func (c *cutter) place() place {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.where
}
